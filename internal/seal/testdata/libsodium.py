"""Seals and opens boxes with PyNaCl. See README.md in this folder."""
import base64
import sys

from nacl.public import PrivateKey, PublicKey, SealedBox

key = base64.b64decode(sys.argv[2])
box = SealedBox(PublicKey(key) if sys.argv[1] == "seal" else PrivateKey(key))
for line in sys.stdin:
    text = base64.b64decode(line)
    print(base64.b64encode(box.encrypt(text) if sys.argv[1] == "seal" else box.decrypt(text)).decode())
