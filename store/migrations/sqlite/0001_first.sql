-- Times are microseconds since 1970 UTC; identifiers are slugs or 32 hexadecimal digits.
-- Every table has tenant_id as its leading key. '*' is the platform: no tenant can have that name.

-- What was provisioned: the fields that queries need, and the rest as a JSON document.
CREATE TABLE tenants (
    tenant_id TEXT NOT NULL PRIMARY KEY,
    position  INTEGER NOT NULL,
    name      TEXT NOT NULL,
    domain    TEXT NOT NULL,
    parent_id TEXT,
    active    INTEGER NOT NULL,
    document  TEXT NOT NULL
) STRICT;

CREATE TABLE trunks (
    tenant_id TEXT NOT NULL,
    trunk_id  TEXT NOT NULL,
    position  INTEGER NOT NULL,
    document  TEXT NOT NULL,
    PRIMARY KEY (tenant_id, trunk_id)
) STRICT;

CREATE TABLE numbers (
    tenant_id TEXT NOT NULL REFERENCES tenants,
    number    TEXT NOT NULL,
    position  INTEGER NOT NULL,
    document  TEXT NOT NULL,
    PRIMARY KEY (tenant_id, number)
) STRICT;
CREATE UNIQUE INDEX a_number_has_one_tenant ON numbers (number);

CREATE TABLE agents (
    tenant_id TEXT NOT NULL REFERENCES tenants,
    agent_id  TEXT NOT NULL,
    position  INTEGER NOT NULL,
    document  TEXT NOT NULL,
    PRIMARY KEY (tenant_id, agent_id)
) STRICT;

CREATE TABLE queues (
    tenant_id TEXT NOT NULL REFERENCES tenants,
    queue_id  TEXT NOT NULL,
    position  INTEGER NOT NULL,
    document  TEXT NOT NULL,
    PRIMARY KEY (tenant_id, queue_id)
) STRICT;

CREATE TABLE flows (
    tenant_id TEXT NOT NULL REFERENCES tenants,
    flow_id   TEXT NOT NULL,
    position  INTEGER NOT NULL,
    document  TEXT NOT NULL,
    PRIMARY KEY (tenant_id, flow_id)
) STRICT;

CREATE TABLE prompts (
    tenant_id TEXT NOT NULL REFERENCES tenants,
    prompt_id TEXT NOT NULL,
    position  INTEGER NOT NULL,
    document  TEXT NOT NULL,
    wav       BLOB,
    PRIMARY KEY (tenant_id, prompt_id)
) STRICT;

-- SHA-256 of the key, never the key.
CREATE TABLE api_keys (
    tenant_id     TEXT NOT NULL,
    digest        BLOB NOT NULL,
    position      INTEGER NOT NULL,
    name          TEXT NOT NULL,
    role          TEXT NOT NULL,
    agent_id      TEXT,
    loopback_only INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, digest)
) STRICT;
CREATE UNIQUE INDEX a_key_opens_one_door ON api_keys (digest);

-- What happened. The last sequence stands apart, so that moving it rewrites a short row.
CREATE TABLE sequences (
    tenant_id     TEXT NOT NULL PRIMARY KEY REFERENCES tenants,
    last_sequence INTEGER NOT NULL
) STRICT;

CREATE TABLE events (
    tenant_id TEXT NOT NULL REFERENCES tenants,
    sequence  INTEGER NOT NULL,
    call_id   TEXT,
    at        INTEGER NOT NULL,
    kind      TEXT NOT NULL,
    data      TEXT NOT NULL,
    PRIMARY KEY (tenant_id, sequence)
) STRICT;
CREATE INDEX events_of_a_call ON events (tenant_id, call_id, sequence) WHERE call_id IS NOT NULL;

-- A projection of the events while a call is up, its record when it is over.
CREATE TABLE calls (
    tenant_id    TEXT NOT NULL REFERENCES tenants,
    call_id      TEXT NOT NULL,
    state        TEXT NOT NULL,
    direction    TEXT NOT NULL,
    trunk_id     TEXT,
    caller       TEXT NOT NULL,
    dialled      TEXT NOT NULL,
    queue_id     TEXT,
    agent_id     TEXT,
    started_at   INTEGER NOT NULL,
    answered_at  INTEGER,
    connected_at INTEGER,
    ended_at     INTEGER,
    duration_ms  INTEGER,
    wait_ms      INTEGER,
    talk_ms      INTEGER,
    cause        TEXT,
    sip_status   INTEGER,
    q850         INTEGER,
    ended_by     TEXT,
    recording_id TEXT,
    legs         TEXT NOT NULL,
    PRIMARY KEY (tenant_id, call_id)
) STRICT;
CREATE INDEX calls_by_time ON calls (tenant_id, started_at, call_id);
CREATE INDEX calls_of_a_queue ON calls (tenant_id, queue_id, started_at);
CREATE INDEX calls_of_an_agent ON calls (tenant_id, agent_id, started_at);
CREATE INDEX calls_that_are_up ON calls (tenant_id, started_at) WHERE state <> 'ended';

CREATE TABLE ladders (
    tenant_id TEXT NOT NULL,
    call_id   TEXT NOT NULL,
    messages  BLOB NOT NULL,
    PRIMARY KEY (tenant_id, call_id),
    FOREIGN KEY (tenant_id, call_id) REFERENCES calls ON DELETE CASCADE
) STRICT;

CREATE TABLE decisions (
    tenant_id TEXT NOT NULL,
    call_id   TEXT NOT NULL,
    position  INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    summary   TEXT NOT NULL,
    detail    TEXT NOT NULL,
    PRIMARY KEY (tenant_id, call_id, position),
    FOREIGN KEY (tenant_id, call_id) REFERENCES calls ON DELETE CASCADE
) STRICT;

CREATE TABLE recordings (
    tenant_id    TEXT NOT NULL REFERENCES tenants,
    recording_id TEXT NOT NULL,
    call_id      TEXT NOT NULL,
    state        TEXT NOT NULL,
    started_at   INTEGER NOT NULL,
    completed_at INTEGER,
    location     TEXT,
    wrapped_key  BLOB,
    duration_ms  INTEGER,
    bytes        INTEGER,
    gaps_ms      INTEGER,
    failure      TEXT,
    PRIMARY KEY (tenant_id, recording_id)
) STRICT;
CREATE INDEX recordings_by_time ON recordings (tenant_id, started_at, recording_id);
CREATE INDEX recordings_of_a_call ON recordings (tenant_id, call_id);
