"""A certificate authority for one test run, made with the openssl command."""
import pathlib
import ssl
import subprocess


def _openssl(*args):
    subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True)


class TestCA:
    """ca.pem is what clients trust; issue() makes a certificate for names and addresses."""

    __test__ = False

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.pem = self.folder / "ca.pem"
        self.key = self.folder / "ca.key"
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                 "-nodes", "-days", "30", "-subj", "/CN=Test CA", "-keyout", self.key,
                 "-out", self.pem)

    def issue(self, *names):
        """(certificate file, key file) valid for these names; a digit first makes it an address."""
        stem = self.folder / names[0].replace("*", "any").replace(":", "_")
        cert, key, request = (stem.with_name(stem.name + end) for end in (".pem", ".key", ".csr"))
        kinds = [("IP:" if n[0].isdigit() or ":" in n else "DNS:") + n for n in names]
        extensions = stem.with_name(stem.name + ".ext")
        extensions.write_text("subjectAltName=" + ",".join(kinds) + "\n")
        _openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                 "-subj", "/CN=test", "-keyout", key, "-out", request)
        _openssl("x509", "-req", "-in", request, "-CA", self.pem, "-CAkey", self.key, "-days", "30",
                 "-CAcreateserial", "-extfile", extensions, "-out", cert)
        return cert, key

    def server_context(self, *names):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.issue(*names))
        return context

    def client_context(self):
        return ssl.create_default_context(cafile=self.pem)
