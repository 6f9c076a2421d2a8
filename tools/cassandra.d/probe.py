"""Asks a node over CQL, in protocol version 4, whether it really serves: STARTUP, the log-in, one SELECT. A hundred times
lighter than a driver, and it talks to exactly one node."""
import socket
import ssl
import struct

VERSION = 4
STARTUP, READY, AUTHENTICATE, QUERY, AUTH_RESPONSE, ERROR = 0x01, 0x02, 0x03, 0x07, 0x0F, 0x00


class NotServing(Exception):
    pass


def _exact(connection, size):
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            raise NotServing("the connection was closed")
        data += more
    return data


def _ask(connection, opcode, body):
    connection.sendall(struct.pack(">BBhBI", VERSION, 0, 0, opcode, len(body)) + body)
    _, _, _, answer, size = struct.unpack(">BBhBI", _exact(connection, 9))
    data = _exact(connection, size)
    if answer == ERROR:
        raise NotServing(data[6:].decode(errors="replace"))
    return answer


def _text(value):
    return struct.pack(">H", len(value)) + value


def select(address, port, statement, consistency=1, login=None, tls=None, timeout=2.0):
    """Raises NotServing with the reason unless the statement is answered with a result. `consistency`: how many replicas
    must answer (1 to 3 are the numbers of ONE, TWO and THREE). `login`: (user, password). `tls`: (authority,
    certificate, key), the last two may be None."""
    try:
        with socket.create_connection((address, port), timeout) as plain:
            connection = plain
            if tls:
                context = ssl.create_default_context(cafile=tls[0])
                # Which certificate the node shows, also a wrong one, is the business of the tests.
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                if tls[1]:
                    context.load_cert_chain(tls[1], tls[2])
                connection = context.wrap_socket(plain)
            options = struct.pack(">H", 1) + _text(b"CQL_VERSION") + _text(b"3.0.0")
            if _ask(connection, STARTUP, options) == AUTHENTICATE:
                token = b"\0" + b"\0".join(part.encode() for part in login or ("", ""))
                _ask(connection, AUTH_RESPONSE, struct.pack(">i", len(token)) + token)
            text = statement.encode()
            _ask(connection, QUERY, struct.pack(">I", len(text)) + text + struct.pack(">HB", consistency, 0))
            if tls:
                connection.close()
    except (OSError, struct.error) as error:
        raise NotServing(str(error)) from error
