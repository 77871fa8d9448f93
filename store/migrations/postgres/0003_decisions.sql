-- The decisions about a call are read and written together, and stand with its record: a JSON array
-- in their order. They were a table with a row each.
ALTER TABLE calls ADD COLUMN decisions TEXT NOT NULL DEFAULT '[]';

SELECT set_config('strowger.tenant', '*', true);

UPDATE calls SET decisions = told.list
FROM (
    SELECT tenant_id, call_id, json_agg(
        json_build_object('at', at, 'summary', summary, 'detail', detail) ORDER BY position
    )::text AS list
    FROM decisions GROUP BY tenant_id, call_id
) AS told
WHERE calls.tenant_id = told.tenant_id AND calls.call_id = told.call_id;

DROP TABLE decisions;
