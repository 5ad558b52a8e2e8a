-- Prints the script that reads those files.
SELECT '.import --csv {dir}/' || name || '.csv ' || name
FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'goose_%' ORDER BY rowid;
