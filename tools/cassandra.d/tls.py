"""The certificates of a cluster with --tls, made anew for each by openssl: what is right, and what a client or a node must
be refused for. In the cluster's directory below tls/:

    ca.pem                       the authority that nodes and clients trust
    nodeN.pem, .key              of node N, for its address; nodeN.chain: both in one file, as the node reads it
    client.pem, .key             of a client
    expiredN.chain, client-expired.pem, .key     signed by the same authority, valid in January 2020 only
    foreign-ca.pem, foreignN.chain, client-foreign.pem, .key     of an authority that nobody trusts
"""
import datetime
import subprocess
import tempfile
from pathlib import Path

KINDS = ("node", "expired", "foreign")
_CONFIGURATION = """[ca]
default_ca = tests
[tests]
database = {database}
new_certs_dir = {copies}
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any
[any]
commonName = supplied
"""


class OpensslFailed(Exception):
    pass


def _openssl(*arguments):
    try:
        done = subprocess.run(["openssl", *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)
    except OSError as error:
        raise OpensslFailed(f"openssl cannot be run: {error}") from error
    if done.returncode != 0:
        raise OpensslFailed(f"openssl {arguments[0]} failed: {done.stdout[-500:]}")


def _new_key():
    return "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"


def _make_authority(directory, books, name):
    _openssl("req", *_new_key(), "-x509", "-days", 30, "-subj", f"/CN=Arca test {name}", "-keyout", directory / f"{name}.key",
             "-out", directory / f"{name}.pem")
    database = books / f"{name}.index"
    database.touch()
    (books / f"{name}.conf").write_text(_CONFIGURATION.format(database=database, copies=books))


def _issue(directory, books, authority, name, subject, extension, valid):
    key, certificate, request, extensions = directory / f"{name}.key", directory / f"{name}.pem", books / "request", books / "ext"
    _openssl("req", *_new_key(), "-subj", f"/CN={subject}", "-keyout", key, "-out", request)
    extensions.write_text(extension + "\n")
    _openssl("ca", "-batch", "-notext", "-config", books / f"{authority}.conf", "-cert", directory / f"{authority}.pem",
             "-keyfile", directory / f"{authority}.key", "-in", request, "-extfile", extensions, "-startdate", valid[0],
             "-enddate", valid[1], "-out", certificate)


def make(directory, addresses):
    directory.mkdir()
    with tempfile.TemporaryDirectory(dir=directory) as books:
        _make_all(directory, Path(books), addresses)


def _make_all(directory, books, addresses):
    now = datetime.datetime.now(datetime.timezone.utc)
    current = [(now + datetime.timedelta(days=days)).strftime("%Y%m%d%H%M%SZ") for days in (-1, 30)]
    past = ["20200101000000Z", "20200201000000Z"]
    for authority in ("ca", "foreign-ca"):
        _make_authority(directory, books, authority)
    signed = {"node": ("ca", current), "expired": ("ca", past), "foreign": ("foreign-ca", current)}
    for kind, (authority, valid) in signed.items():
        client = "client" if kind == "node" else "client-" + kind
        _issue(directory, books, authority, client, "arca", "extendedKeyUsage=clientAuth", valid)
        for number, address in enumerate(addresses, 1):
            name = f"{kind}{number}"
            _issue(directory, books, authority, name, name, f"subjectAltName=IP:{address}", valid)
            (directory / f"{name}.chain").write_text((directory / f"{name}.key").read_text()
                                                     + (directory / f"{name}.pem").read_text()
                                                     + (directory / f"{authority}.pem").read_text())
