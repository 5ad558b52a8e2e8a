ATTACH '{ledger}' AS l;
CREATE TABLE entries AS SELECT * FROM l.entries ORDER BY id;
CREATE TABLE records AS SELECT * FROM l.records ORDER BY id;
UPDATE entries SET hash = randomblob(32), merchant = merchant || ' II' WHERE {changed} AND rowid % 100 = 55;
UPDATE records SET sha = randomblob(32), payload = payload || ' ' WHERE {changed} AND rowid % 100 = 55;
