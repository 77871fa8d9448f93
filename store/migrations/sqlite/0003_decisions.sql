-- The decisions about a call are read and written together, and stand with its record: a JSON array
-- in their order. They were a table with a row each.
ALTER TABLE calls ADD COLUMN decisions TEXT NOT NULL DEFAULT '[]';

UPDATE calls SET decisions = (
    SELECT json_group_array(json_object('at', at, 'summary', summary, 'detail', detail))
    FROM (
        SELECT at, summary, detail FROM decisions AS d
        WHERE d.tenant_id = calls.tenant_id AND d.call_id = calls.call_id ORDER BY position
    )
)
WHERE EXISTS (
    SELECT 1 FROM decisions AS d WHERE d.tenant_id = calls.tenant_id AND d.call_id = calls.call_id
);

DROP TABLE decisions;
