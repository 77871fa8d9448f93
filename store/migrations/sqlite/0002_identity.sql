-- Who a caller is, as far as others vouch for it: the display name, what the signature of the number
-- is worth (RFC 8224), who sent the call on (a JSON array), and why the far end says it ended.
ALTER TABLE calls ADD COLUMN caller_name TEXT;
ALTER TABLE calls ADD COLUMN verstat TEXT;
ALTER TABLE calls ADD COLUMN attestation TEXT;
ALTER TABLE calls ADD COLUMN diversions TEXT NOT NULL DEFAULT '[]';
ALTER TABLE calls ADD COLUMN reason TEXT;

-- What an agent's phone is set to through the API; what is null there is as provisioned.
CREATE TABLE agent_settings (
    tenant_id      TEXT NOT NULL REFERENCES tenants,
    agent_id       TEXT NOT NULL,
    do_not_disturb INTEGER NOT NULL,
    forward        TEXT,
    waiting_new    INTEGER NOT NULL,
    waiting_old    INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, agent_id)
) STRICT;
