-- What calls came to, as their agents say: a row for each agent of a call who has said so.
CREATE TABLE wrap_ups (
    tenant_id TEXT NOT NULL REFERENCES tenants,
    call_id   TEXT NOT NULL,
    agent_id  TEXT NOT NULL,
    at        INTEGER NOT NULL,
    queue_id  TEXT,
    code      TEXT,
    notes     TEXT,
    said_by   TEXT,
    PRIMARY KEY (tenant_id, call_id, agent_id)
) STRICT;

-- The calls with one number, whichever side it was on.
CREATE INDEX calls_of_a_caller ON calls (tenant_id, caller, started_at);
CREATE INDEX calls_to_a_number ON calls (tenant_id, dialled, started_at);
