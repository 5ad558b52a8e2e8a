SELECT (SELECT count(*) FROM entries), (SELECT count(*) FROM records);
