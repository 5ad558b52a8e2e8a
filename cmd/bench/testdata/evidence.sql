INSERT INTO main.records (commit_seq, hash, source, stream, identity, category, received_at, payload, sha)
SELECT commit_seq, hash, source, stream, identity, category, received_at, payload, sha FROM i.records n
WHERE NOT EXISTS (SELECT 1 FROM main.records r WHERE r.source = n.source AND r.stream = n.stream AND r.identity = n.identity AND r.sha = n.sha);
