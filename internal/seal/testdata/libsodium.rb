# Seals and opens boxes with rbnacl. See README.md in this folder.
require 'base64'
require 'rbnacl'

key = Base64.strict_decode64(ARGV[1])
box = ARGV[0] == 'seal' ? RbNaCl::Boxes::Sealed.from_public_key(key) : RbNaCl::Boxes::Sealed.from_private_key(key)
$stdin.each_line do |line|
  text = Base64.strict_decode64(line.chomp)
  puts Base64.strict_encode64(ARGV[0] == 'seal' ? box.encrypt(text) : box.decrypt(text))
end
