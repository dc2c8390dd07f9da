// Seals and opens boxes with libsodium-wrappers. See README.md in this folder.
const sodium = require('libsodium-wrappers')
const lines = require('fs').readFileSync(0, 'utf8').split('\n').filter(Boolean)

sodium.ready.then(() => {
  const key = Buffer.from(process.argv[3], 'base64')
  for (const line of lines) {
    const text = Buffer.from(line, 'base64')
    const out = process.argv[2] === 'seal'
      ? sodium.crypto_box_seal(text, key)
      : sodium.crypto_box_seal_open(text, sodium.crypto_scalarmult_base(key), key)
    console.log(Buffer.from(out).toString('base64'))
  }
})
