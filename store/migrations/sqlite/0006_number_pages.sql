-- The numbers of calls that are over, by the page, in the order in which they ended: what a search for
-- a part of a number reads in place of a million rows. A line a call in both texts: its numbers as
-- `calls` has them, and when it began (microseconds) and which it is.
CREATE TABLE number_pages (
    tenant_id TEXT NOT NULL REFERENCES tenants,
    page      INTEGER NOT NULL,
    calls     INTEGER NOT NULL,
    numbers   TEXT NOT NULL,
    keys      TEXT NOT NULL,
    PRIMARY KEY (tenant_id, page)
) STRICT;

INSERT INTO number_pages (tenant_id, page, calls, numbers, keys)
SELECT tenant_id, page, COUNT(*),
    group_concat(REPLACE(numbers, char(10), ' ') || char(10), ''),
    group_concat(started_at || ' ' || call_id || char(10), '')
FROM (SELECT tenant_id, started_at, call_id, numbers,
        (ROW_NUMBER() OVER (PARTITION BY tenant_id ORDER BY started_at, call_id) + 23) / 24 AS page
    FROM calls WHERE state = 'ended')
GROUP BY tenant_id, page;

-- When trunks went down and came up again: a few among millions of events.
CREATE INDEX events_of_trunks ON events (tenant_id, sequence) WHERE kind = 'trunk.state_changed';
