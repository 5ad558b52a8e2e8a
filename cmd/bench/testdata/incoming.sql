ATTACH '{ledger}' AS l;
CREATE TABLE entries AS SELECT * FROM l.entries ORDER BY id;
UPDATE entries SET hash = randomblob(32), merchant = merchant || ' II' WHERE {changed} AND rowid % 100 = 55;
