-- Prints the statements that make the tables, or the indexes.
SELECT sql || ';' FROM sqlite_master
WHERE type = '{type}' AND sql IS NOT NULL AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'goose_%' ORDER BY rowid;
