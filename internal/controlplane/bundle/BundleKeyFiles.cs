using Gateway.Bundle;

namespace Gateway.ControlPlane.Bundles;

/// <summary>The keys that <c>gateway run</c> was given.</summary>
public static class BundleKeyFiles
{
    /// <exception cref="FormatException">A file is no public key, or the threshold cannot be met; the message is for a person.</exception>
    public static BundleVerifier Read(IReadOnlyList<string> files, int threshold, bool allowUnsigned = false)
    {
        List<VerificationKey> keys = [];
        foreach (string file in files)
        {
            try
            {
                keys.Add(VerificationKey.FromPem(File.ReadAllText(file)));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new FormatException($"the public key {file} cannot be read: {e.Message}", e);
            }
            catch (FormatException e)
            {
                throw new FormatException($"--public-key {file}: {e.Message}", e);
            }
        }
        int different = keys.DistinctBy(static k => k.Id).Count();
        if (threshold < 1 || threshold > Math.Max(different, 1)) throw new FormatException($"--threshold is {threshold}, and {different} different key(s) are given with --public-key; give a number from 1 to that");
        return new BundleVerifier(keys, threshold) { AllowsUnsigned = allowUnsigned };
    }
}
