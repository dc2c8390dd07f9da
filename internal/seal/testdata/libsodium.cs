// Seals and opens boxes with libsodium by P/Invoke, as .NET bindings do. See README.md in this folder.
using System;
using System.Runtime.InteropServices;

class Libsodium
{
    const string Library = "libsodium.so.23";
    const int Overhead = 48;

    [DllImport(Library)] static extern int sodium_init();
    [DllImport(Library)] static extern int crypto_box_seal(byte[] box, byte[] text, ulong length, byte[] publicKey);
    [DllImport(Library)] static extern int crypto_box_seal_open(byte[] text, byte[] box, ulong length, byte[] publicKey, byte[] privateKey);
    [DllImport(Library)] static extern int crypto_scalarmult_base(byte[] publicKey, byte[] privateKey);

    static int Main(string[] args)
    {
        if (sodium_init() < 0) return 1;
        var key = Convert.FromBase64String(args[1]);
        for (string line; (line = Console.ReadLine()) != null;)
        {
            var text = Convert.FromBase64String(line);
            byte[] result;
            if (args[0] == "seal")
            {
                result = new byte[text.Length + Overhead];
                if (crypto_box_seal(result, text, (ulong)text.Length, key) != 0) return 1;
            }
            else
            {
                result = new byte[text.Length - Overhead];
                var publicKey = new byte[32];
                if (crypto_scalarmult_base(publicKey, key) != 0) return 1;
                if (crypto_box_seal_open(result, text, (ulong)text.Length, publicKey, key) != 0) return 1;
            }
            Console.WriteLine(Convert.ToBase64String(result));
        }
        return 0;
    }
}
