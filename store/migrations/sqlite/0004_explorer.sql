-- What calls are found by: both numbers in small letters, the codecs that were spoken, and the lowest
-- estimated quality of a leg in hundredths (null: not measured).
ALTER TABLE calls ADD COLUMN numbers TEXT NOT NULL DEFAULT '';
ALTER TABLE calls ADD COLUMN codecs TEXT NOT NULL DEFAULT '';
ALTER TABLE calls ADD COLUMN lowest_mos INTEGER;

UPDATE calls SET
    numbers = LOWER(SUBSTR(caller, 1, 64) || ' ' || SUBSTR(dialled, 1, 64)),
    codecs = COALESCE((SELECT group_concat(DISTINCT LOWER(value ->> 'codec'))
        FROM json_each(legs) WHERE value ->> 'codec' IS NOT NULL), ''),
    lowest_mos = (SELECT CAST(ROUND(MIN(value ->> 'mos') * 100) AS INTEGER)
        FROM json_each(legs) WHERE value ->> 'mos' IS NOT NULL);

-- All that a search looks at, newest last: it is answered from here, whatever it asks for. Calls that
-- are up change too often to stand in it, and are few.
CREATE INDEX calls_to_search ON calls (tenant_id, started_at, call_id, queue_id, agent_id, direction,
    cause, duration_ms, recording_id, lowest_mos, codecs, numbers) WHERE state = 'ended';

-- How each leg fared while the call was up: a JSON array.
CREATE TABLE call_quality (
    tenant_id TEXT NOT NULL,
    call_id   TEXT NOT NULL,
    legs      TEXT NOT NULL,
    PRIMARY KEY (tenant_id, call_id),
    FOREIGN KEY (tenant_id, call_id) REFERENCES calls ON DELETE CASCADE
) STRICT;

-- What people wrote about a call.
CREATE TABLE call_notes (
    tenant_id TEXT NOT NULL,
    call_id   TEXT NOT NULL,
    position  INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    author    TEXT NOT NULL,
    text      TEXT NOT NULL,
    PRIMARY KEY (tenant_id, call_id, position),
    FOREIGN KEY (tenant_id, call_id) REFERENCES calls ON DELETE CASCADE
) STRICT;
