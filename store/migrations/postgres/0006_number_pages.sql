-- The numbers of calls that are over, by the page, in the order in which they ended: what a search for
-- a part of a number reads in place of a million rows. A line a call in both texts: its numbers as
-- `calls` has them, and when it began (microseconds) and which it is.
CREATE TABLE number_pages (
    tenant_id TEXT NOT NULL REFERENCES tenants,
    page      BIGINT NOT NULL,
    calls     BIGINT NOT NULL,
    numbers   TEXT NOT NULL,
    keys      TEXT NOT NULL,
    PRIMARY KEY (tenant_id, page)
);

SELECT set_config('strowger.tenant', '*', true);

INSERT INTO number_pages (tenant_id, page, calls, numbers, keys)
SELECT tenant_id, page, COUNT(*),
    string_agg(REPLACE(numbers, chr(10), ' ') || chr(10), '' ORDER BY started_at, call_id),
    string_agg(started_at || ' ' || call_id || chr(10), '' ORDER BY started_at, call_id)
FROM (SELECT tenant_id, started_at, call_id, numbers,
        (ROW_NUMBER() OVER (PARTITION BY tenant_id ORDER BY started_at, call_id) + 23) / 24 AS page
    FROM calls WHERE state = 'ended') AS over
GROUP BY tenant_id, page;

ALTER TABLE number_pages ENABLE ROW LEVEL SECURITY;
ALTER TABLE number_pages FORCE ROW LEVEL SECURITY;
CREATE POLICY one_tenant ON number_pages
    USING (current_setting('strowger.tenant', true) IN (tenant_id, '*'));

-- When trunks went down and came up again: a few among millions of events.
CREATE INDEX events_of_trunks ON events (tenant_id, sequence) WHERE kind = 'trunk.state_changed';
