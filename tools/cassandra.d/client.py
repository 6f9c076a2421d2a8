"""The tests' judge: speaks CQL through the Python driver, which shares no line with ours. Runs in the environment that
`tools/cassandra setup` makes, and stays: one request a line on standard input, one answer a line on standard output.

    {"statement": "SELECT ...", "consistency": "QUORUM", "timeout": 5.0}  ->  {"rows": [{...}]}
                                                                         or  {"error": "...", "kind": "OperationTimedOut"}

usage: client.py STATE_FILE
"""
import datetime
import json
import ssl
import sys
import uuid

from cassandra import ConsistencyLevel
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
from cassandra.policies import ConstantReconnectionPolicy, RoundRobinPolicy
from cassandra.query import SimpleStatement, dict_factory


def connect(state_file):
    with open(state_file, encoding="utf-8") as file:
        options = json.load(file)
    context = None
    if options["tls"]:
        directory = options["directory"] + "/tls/"
        context = ssl.create_default_context(cafile=directory + "ca.pem")
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.load_cert_chain(directory + "client.pem", directory + "client.key")
    profile = ExecutionProfile(load_balancing_policy=RoundRobinPolicy(), row_factory=dict_factory,
                               consistency_level=ConsistencyLevel.QUORUM, request_timeout=10.0)
    cluster = Cluster(options["addresses"], port=options["port"], protocol_version=4, compression=False,
                      ssl_context=context, execution_profiles={EXEC_PROFILE_DEFAULT: profile},
                      auth_provider=PlainTextAuthProvider(*options["login"]) if options["auth"] else None,
                      reconnection_policy=ConstantReconnectionPolicy(0.2, None), connect_timeout=3,
                      schema_metadata_enabled=False, token_metadata_enabled=False, idle_heartbeat_interval=3,
                      idle_heartbeat_timeout=3)
    return cluster, cluster.connect()


def plain(value):
    """JSON of a CQL value: a blob as 0x..., a timestamp in milliseconds, a map with texts as keys."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (bytes, bytearray)):
        return "0x" + value.hex()
    if isinstance(value, datetime.datetime):
        return round(value.replace(tzinfo=datetime.timezone.utc).timestamp() * 1000)
    if isinstance(value, uuid.UUID):
        return str(value)
    if hasattr(value, "items"):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    if hasattr(value, "_fields"):
        return {name: plain(getattr(value, name)) for name in value._fields}
    if hasattr(value, "__iter__"):
        return [plain(item) for item in value]
    return str(value)


def answer(session, request):
    statement = SimpleStatement(request["statement"], fetch_size=5000, consistency_level=getattr(
        ConsistencyLevel, request.get("consistency", "QUORUM")))
    rows = session.execute(statement, timeout=request.get("timeout", 10.0))
    return {"rows": [{name: plain(value) for name, value in row.items()} for row in rows]}


def main():
    session = None
    cluster = None
    for line in sys.stdin:
        try:
            if session is None:
                cluster, session = connect(sys.argv[1])
            reply = answer(session, json.loads(line))
        except Exception as error:  # pylint: disable=broad-except  # every failure is an answer, the client stays
            reply = {"error": str(error), "kind": type(error).__name__}
        print(json.dumps(reply), flush=True)
    if cluster is not None:
        cluster.shutdown()


if __name__ == "__main__":
    main()
