/* The C interface of Arca's Cassandra driver: a small client of CQL, written in Rust over the `scylla` crate and built as
 * libarca_cql.so. Only src/cassandra/ in libarca uses it, through a table of pointers that it fills with dlopen and
 * dlsym when a Cassandra tier is configured: who configures none pays no thread, no memory and no dependency.
 *
 * It knows CQL and nothing of telemetry: which tables there are, and what is written to them, stands in C++. What Arca
 * does with it: put chunk and mark are arca_cql_execute; put rows is arca_cql_batch; lease is arca_cql_execute of a
 * conditional statement; list and read are arca_cql_execute with pages.
 *
 * Threads. Every function may be called from any thread, also at the same time, unless it says otherwise. The client's
 * own threads block all signals but those of faults (SEGV, BUS, FPE, ILL, TRAP, ABRT). They never call back, but for
 * the log function of the options.
 *
 * Memory. What Rust itself allocates ends the process when there is none, as everywhere in Rust; the large ones (rows of an
 * answer) are asked for first, and answered ARCA_CQL_NO_RESOURCES.
 *
 * Panics. None leaves the library: a function in which one happens returns ARCA_CQL_PANIC, and a request in which one
 * happens completes with it.
 *
 * Fork. A client belongs to the process that opened it. In a forked child every function on it answers ARCA_CQL_FORKED
 * (arca_cql_poll gives nothing), also arca_cql_close, which then leaks it: its threads are not there. The child opens
 * a client of its own. The library is never unloaded (linked with -z nodelete).
 *
 * Ownership. Options and statement texts are copied. The values of a request, and every byte that they point to, are
 * borrowed from the call until the request's completion has been taken from arca_cql_poll (that is the zero copy). A
 * result belongs to whoever took its completion, until arca_cql_result_free.
 */
#ifndef ARCA_CQL_H
#define ARCA_CQL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Rises with every change that is not only an addition at the end of a struct whose first member is its size. */
#define ARCA_CQL_ABI_VERSION 1u

/* Answers of functions, and outcomes of requests. The numbers are permanent. */
enum arca_cql_status {
  ARCA_CQL_OK = 0,
  ARCA_CQL_WINDOW_FULL = 1,     /* in_flight_max or in_flight_bytes_max reached: nothing was sent; try after a completion */
  ARCA_CQL_NOT_CONNECTED = 2,   /* no node could be reached yet, or none is reachable now: nothing was sent */
  ARCA_CQL_TIMED_OUT = 3,       /* outcome unknown: by the client's own request time-out */
  ARCA_CQL_WRITE_TIMEOUT = 4,   /* outcome unknown: the coordinator missed acknowledgements */
  ARCA_CQL_READ_TIMEOUT = 5,
  ARCA_CQL_UNAVAILABLE = 6,     /* too few live replicas for the consistency: nothing was written */
  ARCA_CQL_OVERLOADED = 7,      /* overloaded, bootstrapping, rate limit: not executed */
  ARCA_CQL_CONNECTION_LOST = 8, /* outcome unknown: the connection broke with the request on it */
  ARCA_CQL_AUTHENTICATION = 9,  /* wrong or missing credentials, or not permitted */
  ARCA_CQL_TLS = 10,            /* certificate, host name or hand-shake */
  ARCA_CQL_SCHEMA = 11,         /* keyspace, table or column missing or of another type; the message names it */
  ARCA_CQL_INVALID = 12,        /* the server refuses the request as such: never repeat it unchanged */
  ARCA_CQL_SERVER = 13,         /* any other error of the server: outcome unknown */
  ARCA_CQL_USAGE = 14,          /* wrong arguments: null pointers, unknown statement, wrong number of values, size of a struct */
  ARCA_CQL_CLOSED = 15,         /* the client is closing */
  ARCA_CQL_FORKED = 16,         /* see above */
  ARCA_CQL_PANIC = 17,          /* a defect of the driver; outcome unknown */
  ARCA_CQL_NO_RESOURCES = 18    /* no memory, thread or descriptor */
};

/* Consistency levels, numbered as in the CQL protocol. */
enum arca_cql_consistency {
  ARCA_CQL_ANY = 0x0, ARCA_CQL_ONE = 0x1, ARCA_CQL_TWO = 0x2, ARCA_CQL_THREE = 0x3, ARCA_CQL_QUORUM = 0x4,
  ARCA_CQL_ALL = 0x5, ARCA_CQL_LOCAL_QUORUM = 0x6, ARCA_CQL_EACH_QUORUM = 0x7, ARCA_CQL_LOCAL_ONE = 0xA
};

enum arca_cql_log_level { ARCA_CQL_ERROR = 1, ARCA_CQL_WARN = 2, ARCA_CQL_INFO = 3, ARCA_CQL_DEBUG = 4 };

typedef struct arca_cql_client arca_cql_client;
typedef struct arca_cql_result arca_cql_result;

/* Everything that a client needs. Set `size` to sizeof(arca_cql_options); all else may be zero, which means the default.
 * Texts are UTF-8, ended by a zero byte. Secrets are copied and never logged; the copies are wiped when the client goes,
 * but for what is on its way to a node that asks for them. */
typedef struct arca_cql_options {
  size_t size;
  const char* contact_points;         /* "host[:port],host[:port]": required. Names are looked up at every attempt */
  const char* local_datacenter;       /* whose nodes are asked; empty: the only one. A cluster of several is then refused */
  const char* user;                   /* empty: no authentication */
  const char* password;
  uint32_t use_tls;                   /* 0: plain text */
  const char* ca_file;                /* PEM; empty: the system's store */
  const char* client_certificate_file;/* PEM; both or none */
  const char* client_key_file;
  uint32_t skip_host_name_check;      /* 0: the node's address must stand in its certificate */
  uint16_t default_port;              /* 0: 9042 */
  uint16_t worker_threads;            /* 0: 1 */
  uint16_t connections_per_host;      /* 0: 2 */
  uint16_t reserved;
  uint32_t in_flight_max;             /* requests; 0: 256 */
  uint64_t in_flight_bytes_max;       /* bytes of values in flight; 0: 16 MiB. One request may always be in flight */
  uint32_t connect_timeout_ms;        /* 0: 2000 */
  uint32_t request_timeout_ms;        /* 0: 15000. Longer than the server's own (by default 2 s for writes, 5 s for reads, 10 s
                                         for ranges): a client that times out early breaks its connection by orphaned
                                         requests */
  uint32_t keepalive_interval_ms;     /* 0: 1000 */
  uint32_t keepalive_timeout_ms;      /* 0: 2000. Together: how soon a silent node is given up */
  uint32_t reconnect_max_ms;          /* longest wait between attempts to connect; 0: 5000 */
  /* Called from the client's threads, one line without its end; must not throw, block or call this library. May be null. */
  void (*log)(void* context, int32_t level, const char* text, size_t length);
  void* log_context;
} arca_cql_options;

/* One value in CQL's binary form (big-endian integers, UTF-8 text, plain blobs, 16-byte uuids, milliseconds as bigint). */
typedef struct arca_cql_value {
  const void* data;
  int64_t size;  /* -1: null; -2: unset (leaves the column untouched, writes no tombstone) */
} arca_cql_value;

enum arca_cql_statement_flag {
  ARCA_CQL_IDEMPOTENT = 1u, /* the driver may send it again itself after an ambiguous failure */
  ARCA_CQL_SERIAL = 2u      /* a conditional statement, never sent again by the driver. LOCAL_SERIAL with a local
                              consistency, else SERIAL */
};

typedef struct arca_cql_request {
  size_t size;                 /* sizeof(arca_cql_request) */
  uint32_t statement;          /* of arca_cql_statement */
  uint16_t consistency;        /* arca_cql_consistency */
  uint16_t serial;             /* 1: a read at LOCAL_SERIAL, instead of `consistency` */
  int64_t timestamp_us;        /* of the write, since 1970; 0: the driver's clock at the first attempt */
  const arca_cql_value* values;
  uint32_t value_count;
  uint32_t page_size;          /* rows for each page; 0: 5000 */
  const void* paging_state;    /* of the page before; null: the first page */
  size_t paging_state_size;
  uint64_t tag;                /* comes back in the completion */
} arca_cql_request;

/* Several executions of one statement as one UNLOGGED batch; meant for rows of one partition. values has
 * row_count * values_per_row entries, row by row. */
typedef struct arca_cql_batch_request {
  size_t size;
  uint32_t statement;
  uint16_t consistency;
  uint16_t reserved;
  int64_t timestamp_us;
  const arca_cql_value* values;
  uint32_t values_per_row;
  uint32_t row_count;
  uint64_t tag;
} arca_cql_batch_request;

typedef struct arca_cql_completion {
  uint64_t tag;
  int32_t status;              /* arca_cql_status */
  int32_t server_code;         /* error code of the CQL protocol; -1: the server said nothing */
  uint64_t latency_ns;         /* from the call to the outcome */
  arca_cql_result* result;     /* rows or an error message; null: neither */
} arca_cql_completion;

/* A cell of a row: size -1 is null. */
typedef struct arca_cql_cell {
  const void* data;
  int64_t size;
} arca_cql_cell;

typedef struct arca_cql_client_status {
  size_t size;                 /* sizeof(arca_cql_client_status), set by the caller */
  uint32_t connected;          /* a session exists and at least one node is reachable */
  uint32_t node_count;         /* known nodes; 0 while not connected */
  uint32_t up_count;           /* of them, reachable */
  uint32_t in_flight;
  uint64_t in_flight_bytes;
  uint64_t request_count;      /* since it was opened */
  uint64_t panic_count;
  int32_t last_connect_status; /* arca_cql_status of the last attempt to connect */
  uint32_t reserved;
  char last_error[512];        /* of connecting, for people, ended by a zero byte; empty: none. Holds no secrets */
  char datacenter[128];        /* whose nodes are asked: the configured one, or the only one; empty while not connected */
} arca_cql_client_status;

uint32_t arca_cql_abi_version(void);

/* Starts the client and returns at once; it connects in the background, again and again until it is closed. Until then
 * requests complete with ARCA_CQL_NOT_CONNECTED, or with ARCA_CQL_AUTHENTICATION or ARCA_CQL_TLS if that is why.
 * ARCA_CQL_USAGE (with a line to the log) when an option cannot work, such as a certificate file that is not there;
 * ARCA_CQL_NO_RESOURCES. */
int32_t arca_cql_open(const arca_cql_options* options, arca_cql_client** client);

/* Registers a statement text and gives it a number, without asking the server: it is prepared there at its first use and
 * again whenever the server forgot it. The same text and flags give the same number. At most 1,024. A text without
 * markers that begins with CREATE, ALTER, DROP or USE is executed unprepared, and the schema is awaited. */
int32_t arca_cql_statement(arca_cql_client* client, const char* text, size_t length, uint32_t flags, uint32_t* statement);

/* Begins; the outcome comes by arca_cql_poll if ARCA_CQL_OK is returned, and only then. */
int32_t arca_cql_execute(arca_cql_client* client, const arca_cql_request* request);
int32_t arca_cql_batch(arca_cql_client* client, const arca_cql_batch_request* request);

/* An eventfd that is readable while completions wait. Poll it, read it, then call arca_cql_poll until it gives fewer than
 * asked for. Owned by the client. -1: forked or closed. */
int arca_cql_event_fd(arca_cql_client* client);
/* Takes up to `capacity` completions without waiting; returns how many. */
size_t arca_cql_poll(arca_cql_client* client, arca_cql_completion* completions, size_t capacity);

int32_t arca_cql_client_get_status(arca_cql_client* client, arca_cql_client_status* status);

/* Of a result: valid until it is freed. Not thread-safe for one result. */
uint64_t arca_cql_result_row_count(const arca_cql_result* result);
uint32_t arca_cql_result_column_count(const arca_cql_result* result);
/* Null past the end. */
const arca_cql_cell* arca_cql_result_row(const arca_cql_result* result, uint64_t row);
const char* arca_cql_result_column_name(const arca_cql_result* result, uint32_t column); /* ended by a zero byte */
/* Null and 0 when there is no further page. */
const void* arca_cql_result_paging_state(const arca_cql_result* result, size_t* size);
/* Of a failure, for people; null: none. */
const char* arca_cql_result_message(const arca_cql_result* result);
void arca_cql_result_free(arca_cql_result* result);

/* Takes no new requests, waits up to drain_ms for those in flight (the others complete as ARCA_CQL_CLOSED; completions
 * can be taken until this returns and are dropped after), ends the threads and frees the client. Returns ARCA_CQL_OK also
 * when requests were given up. Not to be called twice, nor beside other functions of the same client that may outlast it,
 * nor by destructors that run at the end of the process. */
int32_t arca_cql_close(arca_cql_client* client, uint32_t drain_ms);

#ifdef __cplusplus
}
#endif

#endif
