-- Times are microseconds since 1970 UTC; identifiers are slugs or 32 hexadecimal digits.
-- Every table has tenant_id as its leading key. '*' is the platform: no tenant can have that name.

-- What was provisioned: the fields that queries need, and the rest as a JSON document.
CREATE TABLE tenants (
    tenant_id TEXT NOT NULL PRIMARY KEY,
    position  BIGINT NOT NULL,
    name      TEXT NOT NULL,
    domain    TEXT NOT NULL,
    parent_id TEXT,
    active    BOOLEAN NOT NULL,
    document  TEXT NOT NULL
);

CREATE TABLE trunks (
    tenant_id TEXT NOT NULL,
    trunk_id  TEXT NOT NULL,
    position  BIGINT NOT NULL,
    document  TEXT NOT NULL,
    PRIMARY KEY (tenant_id, trunk_id)
);

CREATE TABLE numbers (
    tenant_id TEXT NOT NULL REFERENCES tenants (tenant_id),
    number    TEXT NOT NULL,
    position  BIGINT NOT NULL,
    document  TEXT NOT NULL,
    PRIMARY KEY (tenant_id, number)
);
CREATE UNIQUE INDEX a_number_has_one_tenant ON numbers (number);

CREATE TABLE agents (
    tenant_id TEXT NOT NULL REFERENCES tenants (tenant_id),
    agent_id  TEXT NOT NULL,
    position  BIGINT NOT NULL,
    document  TEXT NOT NULL,
    PRIMARY KEY (tenant_id, agent_id)
);

CREATE TABLE queues (
    tenant_id TEXT NOT NULL REFERENCES tenants (tenant_id),
    queue_id  TEXT NOT NULL,
    position  BIGINT NOT NULL,
    document  TEXT NOT NULL,
    PRIMARY KEY (tenant_id, queue_id)
);

CREATE TABLE flows (
    tenant_id TEXT NOT NULL REFERENCES tenants (tenant_id),
    flow_id   TEXT NOT NULL,
    position  BIGINT NOT NULL,
    document  TEXT NOT NULL,
    PRIMARY KEY (tenant_id, flow_id)
);

CREATE TABLE prompts (
    tenant_id TEXT NOT NULL REFERENCES tenants (tenant_id),
    prompt_id TEXT NOT NULL,
    position  BIGINT NOT NULL,
    document  TEXT NOT NULL,
    wav       BYTEA,
    PRIMARY KEY (tenant_id, prompt_id)
);

-- SHA-256 of the key, never the key.
CREATE TABLE api_keys (
    tenant_id     TEXT NOT NULL,
    digest        BYTEA NOT NULL,
    position      BIGINT NOT NULL,
    name          TEXT NOT NULL,
    role          TEXT NOT NULL,
    agent_id      TEXT,
    loopback_only BOOLEAN NOT NULL,
    PRIMARY KEY (tenant_id, digest)
);
CREATE UNIQUE INDEX a_key_opens_one_door ON api_keys (digest);

-- What happened. The last sequence stands apart, so that moving it rewrites a short row.
CREATE TABLE sequences (
    tenant_id     TEXT NOT NULL PRIMARY KEY REFERENCES tenants (tenant_id),
    last_sequence BIGINT NOT NULL
);

CREATE TABLE events (
    tenant_id TEXT NOT NULL REFERENCES tenants (tenant_id),
    sequence  BIGINT NOT NULL,
    call_id   TEXT,
    at        BIGINT NOT NULL,
    kind      TEXT NOT NULL,
    data      TEXT NOT NULL,
    PRIMARY KEY (tenant_id, sequence)
);
CREATE INDEX events_of_a_call ON events (tenant_id, call_id, sequence) WHERE call_id IS NOT NULL;

-- A projection of the events while a call is up, its record when it is over.
CREATE TABLE calls (
    tenant_id    TEXT NOT NULL REFERENCES tenants (tenant_id),
    call_id      TEXT NOT NULL,
    state        TEXT NOT NULL,
    direction    TEXT NOT NULL,
    trunk_id     TEXT,
    caller       TEXT NOT NULL,
    dialled      TEXT NOT NULL,
    queue_id     TEXT,
    agent_id     TEXT,
    started_at   BIGINT NOT NULL,
    answered_at  BIGINT,
    connected_at BIGINT,
    ended_at     BIGINT,
    duration_ms  BIGINT,
    wait_ms      BIGINT,
    talk_ms      BIGINT,
    cause        TEXT,
    sip_status   BIGINT,
    q850         BIGINT,
    ended_by     TEXT,
    recording_id TEXT,
    legs         TEXT NOT NULL,
    PRIMARY KEY (tenant_id, call_id)
);
CREATE INDEX calls_by_time ON calls (tenant_id, started_at, call_id);
CREATE INDEX calls_of_a_queue ON calls (tenant_id, queue_id, started_at);
CREATE INDEX calls_of_an_agent ON calls (tenant_id, agent_id, started_at);
CREATE INDEX calls_that_are_up ON calls (tenant_id, started_at) WHERE state <> 'ended';

CREATE TABLE ladders (
    tenant_id TEXT NOT NULL,
    call_id   TEXT NOT NULL,
    messages  BYTEA NOT NULL,
    PRIMARY KEY (tenant_id, call_id),
    FOREIGN KEY (tenant_id, call_id) REFERENCES calls (tenant_id, call_id) ON DELETE CASCADE
);

CREATE TABLE decisions (
    tenant_id TEXT NOT NULL,
    call_id   TEXT NOT NULL,
    position  BIGINT NOT NULL,
    at        BIGINT NOT NULL,
    summary   TEXT NOT NULL,
    detail    TEXT NOT NULL,
    PRIMARY KEY (tenant_id, call_id, position),
    FOREIGN KEY (tenant_id, call_id) REFERENCES calls (tenant_id, call_id) ON DELETE CASCADE
);

CREATE TABLE recordings (
    tenant_id    TEXT NOT NULL REFERENCES tenants (tenant_id),
    recording_id TEXT NOT NULL,
    call_id      TEXT NOT NULL,
    state        TEXT NOT NULL,
    started_at   BIGINT NOT NULL,
    completed_at BIGINT,
    location     TEXT,
    wrapped_key  BYTEA,
    duration_ms  BIGINT,
    bytes        BIGINT,
    gaps_ms      BIGINT,
    failure      TEXT,
    PRIMARY KEY (tenant_id, recording_id)
);
CREATE INDEX recordings_by_time ON recordings (tenant_id, started_at, recording_id);
CREATE INDEX recordings_of_a_call ON recordings (tenant_id, call_id);

-- The second wall: whatever a query says, a transaction sees its own tenant's rows alone. It names
-- the tenant with set_config('strowger.tenant', ..., true); '*' is the engine itself.
DO $$
DECLARE
    room TEXT;
BEGIN
    FOREACH room IN ARRAY ARRAY['tenants', 'trunks', 'numbers', 'agents', 'queues', 'flows', 'prompts',
        'api_keys', 'sequences', 'events', 'calls', 'ladders', 'decisions', 'recordings']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', room);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', room);
        EXECUTE format('CREATE POLICY one_tenant ON %I USING (current_setting(''strowger.tenant'', true) '
            'IN (tenant_id, ''*''))', room);
    END LOOP;
END
$$;
