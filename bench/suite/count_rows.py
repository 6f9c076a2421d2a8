"""Counts the rows of KEYSPACE.traces_overflow, page by page. Runs in the environment of `tools/cassandra setup`.

usage: count_rows.py ADDRESS PORT KEYSPACE
"""
import sys

from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
from cassandra.policies import RoundRobinPolicy
from cassandra.query import SimpleStatement, tuple_factory

profile = ExecutionProfile(load_balancing_policy=RoundRobinPolicy(), row_factory=tuple_factory, request_timeout=60)
cluster = Cluster([sys.argv[1]], port=int(sys.argv[2]), protocol_version=4, schema_metadata_enabled=False,
                  token_metadata_enabled=False, execution_profiles={EXEC_PROFILE_DEFAULT: profile})
session = cluster.connect(sys.argv[3])
count = 0
page = session.execute(SimpleStatement("SELECT span_id FROM traces_overflow", fetch_size=5000))
while True:
    count += len(page.current_rows)
    if not page.has_more_pages:
        break
    page.fetch_next_page()
print(count)
cluster.shutdown()
