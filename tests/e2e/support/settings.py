# SPDX-License-Identifier: MIT
"""The table of configuration.md as data: what each setting takes and refuses.

ROWS: (YAML path, environment name, good values, bad values). Values are as the
environment writes them.
"""

BAD_INT = ["abc", "1.5", "0x10", "1e3", "99999999999999999999", "- 1"]
BAD_TIME = ["abc", "10x", "-1s", "s", "10 min", "99999999999999999999s", "1h30"]
BAD_SIZE = ["abc", "1XB", "-1", "KiB", "99999999999999999999", "1.5.5KiB"]
BAD_BOOL = ["maybe", "2", "-1", "truee", "t"]
BOOLS = ["true", "FALSE", "1", "0", "Yes", "no"]


def ints(path, env, low, high):
    good = [str(low), str(low + 1)] + ([str(high)] if high else [])
    bad = [str(low - 1), *BAD_INT] + ([str(high + 1)] if high else [])
    return path, env, good, bad


def times(path, env, good, bad=()):
    return path, env, good, [*bad, *BAD_TIME]


def sizes(path, env, good, bad):
    return path, env, good, [*bad, *BAD_SIZE]


POSITIVE = ["1ms", "1s", "90", "2m", "1h", "1d"]

ROWS = [
    ("server.host", "SERVER_HOST", ["127.0.0.1", "0.0.0.0", "::1"],
     ["not an address", "300.1.1.1", "1.2.3", "1.2.3.4.5"]),
    ints("server.port", "SERVER_PORT", 1, 65535),
    ("server.path_prefix", "CHATBOX_PATH_PREFIX", ["/", "/chat", "/a/b"],
     ["chat", "/chat/", "//"]),
    ints("server.threads", "SERVER_THREADS", 0, 256),
    ints("server.max_connections", "MAX_CONNECTIONS", 1, 10_000_000),
    times("server.shutdown_timeout", "SHUTDOWN_TIMEOUT", ["1s", "30", "1h", "60m"],
          ["999ms", "0", "61m", "3601"]),
    times("server.drain_delay", "SHUTDOWN_DRAIN_DELAY", ["0", "0s", "500ms", "10m"],
          ["11m", "601"]),
    ("server.trusted_proxies", "TRUSTED_PROXIES",
     ["127.0.0.1", "10.0.0.0/8,::1/128", "192.168.1.0/24"],
     ["10.0.0.0/33", "::1/129", "nonsense", "10.0.0/8", "10.0.0.0/", "10.0.0.0/-1"]),
    ("server.cors_origins", "CORS_ALLOWED_ORIGINS",
     ["https://app.example", "https://a.example,http://b.example:8080"],
     ["app.example", "https://", "https://app.example/path", "ftp//x",
      "https://your-domain.example", "https://REPLACE_WITH_HOST"]),
    ("log.level", "LOG_LEVEL", ["error", "warn", "INFO", "Debug"],
     ["trace", "3", "warning!"]),
    ("log.format", "LOG_FORMAT", ["json", "TEXT"], ["xml", "1"]),
    ("metrics.allowed_networks", "METRICS_ALLOWED_NETWORKS",
     ["10.0.0.0/8", "none", "127.0.0.1", "::1"],
     ["10.0.0.0/33", "lan", "1.2.3.4/x"]),
    ("ws.allowed_origins", "WS_ALLOWED_ORIGINS",
     ["https://app.example", "null", "*", "https://a.example,null"],
     ["app.example", "*,https://app.example", "https://*.example/x",
      "https://app.example/path", "<origin>", "https://changeme.example"]),
    sizes("ws.max_message_size", "MAX_MESSAGE_SIZE",
          ["1KiB", "1024", "64MiB", "65536"], ["1023", "65MiB", "0"]),
    ints("ws.max_content_length", "MAX_CONTENT_LENGTH", 1, 1_000_000),
    times("ws.ping_period", "WS_PING_PERIOD", ["1s", "59s"],
          ["999ms", "11m", "60s", "2m", "0"]),
    times("ws.pong_wait", "WS_PONG_WAIT", ["55s", "10m", "600"],
          ["999ms", "11m", "54s", "10s"]),
    sizes("ws.output_limit", "WS_OUTPUT_LIMIT", ["64KiB", "64MiB", "1MiB"],
          ["65535", "63KiB", "65MiB"]),
    ints("ws.connections_per_user", "MAX_CONNECTIONS_PER_USER", 1, 10000),
    ("ws.token_in_query", "WS_TOKEN_IN_QUERY", BOOLS, BAD_BOOL),
    ("auth.require_exp", "JWT_REQUIRE_EXP", BOOLS, BAD_BOOL),
    times("auth.leeway", "JWT_LEEWAY", ["0", "30s", "10m"], ["11m", "601s"]),
    ("auth.admin_roles", "ADMIN_ROLES", ["admin", "a,b,c"], [",", " , "]),
    times("session.reconnect_timeout", "RECONNECT_TIMEOUT", POSITIVE, ["0", "0s"]),
    times("session.ttl", "SESSION_TTL", ["1s", "15m", "1000ms"], ["999ms", "0"]),
    times("session.cleanup_interval", "SESSION_CLEANUP_INTERVAL", ["100ms", "5m"],
          ["99ms", "0"]),
    ("session.warn_count", "SESSION_WARN_COUNT", ["1", "10000"], ["0", *BAD_INT]),
    ("session.connections", "SESSION_CONNECTIONS", ["many", "ONE"], ["two", "1"]),
    ints("session.response_times", "SESSION_RESPONSE_TIMES", 1, 10000),
    ints("session.resume_max_events", "RESUME_MAX_EVENTS", 1, 100000),
    ("limit.messages", "RATE_LIMIT", ["1", "1000"], ["0", "-1", *BAD_INT]),
    times("limit.window", "RATE_LIMIT_WINDOW", POSITIVE, ["0"]),
    ("limit.admin", "ADMIN_RATE_LIMIT", ["1", "299"], ["0", "300", "1000", *BAD_INT]),
    times("limit.admin_window", "ADMIN_RATE_WINDOW", ["1m", "1h", "1d"],
          ["0", "1s", "4s"]),
    ("limit.public", "PUBLIC_RATE_LIMIT", ["1", "1000"], ["0", *BAD_INT]),
    times("limit.public_window", "PUBLIC_RATE_WINDOW", POSITIVE, ["0"]),
    ("limit.user_http", "USER_HTTP_RATE_LIMIT", ["21", "1000"],
     ["0", "20", "10", *BAD_INT]),
    times("limit.user_http_window", "USER_HTTP_RATE_WINDOW", ["1s", "1m", "14m"],
          ["0", "15m", "1h"]),
    ("limit.failures", "FAILURE_RATE_LIMIT", ["1", "1000"], ["0", *BAD_INT]),
    times("limit.failures_window", "FAILURE_RATE_WINDOW", POSITIVE, ["0"]),
    times("limit.cleanup_interval", "RATE_LIMIT_CLEANUP_INTERVAL", ["100ms", "5m"],
          ["99ms", "0"]),
    ("limit.max_keys", "RATE_LIMIT_MAX_KEYS", ["1000", "100000"], ["999", *BAD_INT]),
    ("store.kind", "STORE", ["sqlite", "SQLITE"], ["mysql", "1", "mongo"]),
    ("llm.default_model", "LLM_DEFAULT_MODEL", ["demo"], ["unheard-of"]),
    ints("llm.context_tokens", "LLM_CONTEXT_TOKENS", 256, 10_000_000),
    times("llm.stream_timeout", "LLM_STREAM_TIMEOUT", POSITIVE, ["0"]),
    times("llm.connect_timeout", "LLM_CONNECT_TIMEOUT", POSITIVE, ["0"]),
    times("llm.first_byte_timeout", "LLM_FIRST_BYTE_TIMEOUT", POSITIVE, ["0"]),
    times("llm.idle_timeout", "LLM_IDLE_TIMEOUT", POSITIVE, ["0"]),
    times("llm.hedge_after", "LLM_HEDGE_AFTER", ["0", *POSITIVE], []),
    ints("llm.retry_attempts", "LLM_RETRY_ATTEMPTS", 1, 10),
    times("llm.retry_delay", "LLM_RETRY_DELAY", ["1ms", "1s", "30s"], ["0", "31s"]),
    times("llm.retry_max_delay", "LLM_RETRY_MAX_DELAY", ["1s", "1h"], ["0", "999ms"]),
    sizes("llm.max_answer_size", "LLM_MAX_ANSWER_SIZE", ["1KiB", "64MiB"],
          ["1023", "65MiB"]),
    # Their types are tried above: the bounds are enough.
    ("session.operator_grace", "OPERATOR_GRACE", ["1s", "1h"], ["999ms", "61m"]),
    ("store.mongo.database", "MONGO_DATABASE", ["chat_2", "x" * 63, "\u00fc"],
     ["x" * 64, "a.b", "a/b", "a b", "a$b", "a\"b", "admin", "config", "local"]),
    ("store.mongo.collection", "MONGO_COLLECTION",
     ["chats", "old.sessions", "a b", "x" * 120, "Messages"],
     ["x" * 121, "messages", "pieces", "audit", "meta", "$a", "a$b", ".a", "system.a"]),
    ("store.mongo.connect_timeout", "MONGO_CONNECT_TIMEOUT", ["1ms"], ["0"]),
    ("store.mongo.pool_size", "MONGO_POOL_SIZE", ["1", "1000"], ["0", "1001"]),
    ("store.mongo.retry_attempts", "MONGO_RETRY_ATTEMPTS", ["1", "20"], ["0", "21"]),
    ("store.mongo.retry_delay", "MONGO_RETRY_DELAY", ["1ms", "2s"], ["0", "3s"]),
    ("store.mongo.retry_max_delay", "MONGO_RETRY_MAX_DELAY", ["100ms"], ["0", "99ms"]),
    ("notify.smtp.port", "SMTP_PORT", ["1", "65535"], ["0", "65536"]),
    ("notify.smtp.tls", "SMTP_TLS", ["STARTTLS", "tls", "none"], ["ssl"]),
    ("notify.phones", "ADMIN_PHONES", ["+15551234567,+4930123456"],
     ["15551234567", "+0123456789", "+1555123456789012", "+1 555 1234567", ","]),
    ("notify.panel_url", "ADMIN_PANEL_URL", ["https://chat.example/x", "http://desk:81"],
     ["chat.example", "ftp://chat.example", "https://"]),
    ("upload.max_size", "UPLOAD_MAX_SIZE", ["1KiB", "5GiB"], ["1023", "6GiB"]),
    ("upload.types", "UPLOAD_TYPES", ["image/*,text/plain"],
     ["png", "image/", "/png", "image/png,", "*/x/y"]),
    ("upload.url_ttl", "UPLOAD_URL_TTL", ["60", "30d"], ["59s", "31d"]),
    ("upload.store", "UPLOAD_STORE", ["LOCAL"], ["disk", "s3"]),
]

# What `check` shows of each setting when nothing is said: the table's defaults.
DEFAULTS = {
    "server.host": "0.0.0.0", "server.port": 8080, "server.path_prefix": "/chatbox",
    "server.threads": 0, "server.max_connections": 10000,
    "server.shutdown_timeout": "30s", "server.drain_delay": "0s",
    "server.trusted_proxies": [], "server.tls_cert": "", "server.tls_key": "",
    "server.cors_origins": [], "log.level": "info", "log.format": "json",
    "ws.allowed_origins": [], "ws.max_message_size": "1MiB",
    "ws.max_content_length": 10000, "ws.ping_period": "54s", "ws.pong_wait": "60s",
    "ws.output_limit": "1MiB", "ws.connections_per_user": 10, "ws.token_in_query": True,
    "auth.public_key": "", "auth.jwks_url": "", "auth.jwks_ca": "", "auth.issuer": "",
    "auth.audience": "", "auth.user_claim": "user_id", "auth.require_exp": True,
    "auth.leeway": "30s", "auth.admin_roles": ["admin", "chat_admin"],
    "session.reconnect_timeout": "15m", "session.ttl": "15m",
    "session.cleanup_interval": "5m", "session.warn_count": 10000,
    "session.connections": "many", "session.response_times": 100,
    "session.resume_max_events": 1000, "session.operator_grace": "60s",
    "limit.messages": 100, "limit.window": "1m", "limit.admin": 20,
    "limit.admin_window": "1m", "limit.public": 60, "limit.public_window": "1m",
    "limit.user_http": 300, "limit.user_http_window": "1m", "limit.failures": 100,
    "limit.failures_window": "1m", "limit.cleanup_interval": "5m",
    "limit.max_keys": 100000, "store.kind": "sqlite", "store.data_dir": "./data",
    "store.mongo.database": "chat", "store.mongo.collection": "sessions",
    "store.mongo.connect_timeout": "10s", "store.mongo.pool_size": 16,
    "store.mongo.retry_attempts": 3, "store.mongo.retry_delay": "100ms",
    "store.mongo.retry_max_delay": "2s", "llm.system_prompt": "",
    "llm.context_tokens": 8000, "llm.stream_timeout": "120s",
    "llm.connect_timeout": "5s", "llm.first_byte_timeout": "30s",
    "llm.idle_timeout": "30s", "llm.hedge_after": "0s", "llm.retry_attempts": 3, "llm.retry_delay": "1s",
    "llm.retry_max_delay": "30s", "llm.max_answer_size": "1MiB",
    "notify.emails": [], "notify.phones": [], "notify.smtp.port": 587,
    "notify.smtp.tls": "starttls", "upload.max_size": "100MiB", "upload.url_ttl": "24h",
    "upload.store": "local", "upload.s3.endpoint": "", "upload.s3.region": "us-east-1"}

# Names of one sentence of the table that stand outside ROWS (own tests).
OTHER_NAMES = [
    "TLS_CERT_FILE", "TLS_KEY_FILE", "JWT_SECRET", "JWT_PUBLIC_KEY_FILE",
    "JWT_ISSUER", "JWT_AUDIENCE", "JWT_USER_CLAIM", "DATA_DIR", "LLM_SYSTEM_PROMPT"]

ENDPOINTS_GOOD = [
    "https://api.example.com/v1", "http://127.0.0.1:9/v1", "http://[::1]:9/v1",
    "http://10.1.2.3/v1", "http://192.168.0.9:8000", "http://172.16.0.1/v1",
    "http://ollama:11434/v1", "http://model.local/v1", "http://model.internal/v1",
    "http://llm.ns.svc/v1", "http://llm.ns.svc.cluster.local/v1",
    "https://h.example/openai/chat/completions?api-version=1"]
ENDPOINTS_BAD = [
    "", "api.example.com", "http://api.example.com/v1", "ftp://127.0.0.1/v1",
    "http://8.8.8.8/v1", "https://134744072/v1", "https://0x7f000001/v1",
    "https://0177.0.0.1/v1", "https://127.1/v1", "http://169.254.169.254/latest",
    "https://169.254.1.1/v1", "https://[fe80::1]/v1", "http://model.local.evil.example",
    "https:///v1", "http://", "https://h.example:99999/v1", "http://172.32.0.1/v1"]

SECRETS_BAD = {
    "short": "k3V9xQ2mZ7bT4nW8rY1cL6hJ5gF0dSz",
    "secret": "k3V9xQ2mZ7bT4nWsecretL6hJ5gF0dSzPuB",
    "test": "k3V9xQ2mZ7bT4nWtestL6hJ5gF0dSzPuB9a",
    "test123": "test123k3V9xQ2mZ7bT4nWL6hJ5gF0dSzPuB",
    "password": "k3V9xQ2mZ7bPASSWORDL6hJ5gF0dSzPuB9a",
    "admin": "k3V9xQ2mZ7bT4nWL6hJ5gF0dSzPuB9aAdmin",
    "changeme": "k3V9xQ2mZ7bChangeMeL6hJ5gF0dSzPuB9aa",
    "default": "k3V9xQ2mZ7bdefaultL6hJ5gF0dSzPuB9aaa",
    "example": "k3V9xQ2mZ7bEXAMPLEL6hJ5gF0dSzPuB9aaa",
    "demo": "k3V9xQ2mZ7bT4nWdEmOL6hJ5gF0dSzPuB9aa",
    "12345": "k3V9xQ2mZ7bT4nW12345L6hJ5gF0dSzPuB9a",
    "placeholder": "k3V9xQ2mZ7placeholderJ5gF0dSzPuB9aaa",
    "REPLACE_WITH": "replace_with_k3V9xQ2mZ7bT4nWL6hJ5gF0",
    "CHANGE-ME": "change-me-k3V9xQ2mZ7bT4nWL6hJ5gF0dSz",
    "CHANGE_ME": "CHANGE_ME_k3V9xQ2mZ7bT4nWL6hJ5gF0dSz",
    "YOUR-": "your-k3V9xQ2mZ7bT4nWL6hJ5gF0dSzPuBaaa",
    "YOUR_": "Your_k3V9xQ2mZ7bT4nWL6hJ5gF0dSzPuBaaa",
    "<...>": "<k3V9xQ2mZ7bT4nWL6hJ5gF0dSzPuB9aaaaaa>",
}
