-- What calls came to, as their agents say: a row for each agent of a call who has said so.
CREATE TABLE wrap_ups (
    tenant_id TEXT NOT NULL REFERENCES tenants (tenant_id),
    call_id   TEXT NOT NULL,
    agent_id  TEXT NOT NULL,
    at        BIGINT NOT NULL,
    queue_id  TEXT,
    code      TEXT,
    notes     TEXT,
    said_by   TEXT,
    PRIMARY KEY (tenant_id, call_id, agent_id)
);

ALTER TABLE wrap_ups ENABLE ROW LEVEL SECURITY;
ALTER TABLE wrap_ups FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON wrap_ups
    USING (current_setting('strowger.tenant', true) IN (tenant_id, '*'));

-- The calls with one number, whichever side it was on.
CREATE INDEX calls_of_a_caller ON calls (tenant_id, caller, started_at);
CREATE INDEX calls_to_a_number ON calls (tenant_id, dialled, started_at);
