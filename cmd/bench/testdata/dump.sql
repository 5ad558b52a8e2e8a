-- Prints the script that writes the rows of every table to a file. Hashes become text of the same length.
SELECT '.mode csv';
SELECT '.once {dir}/' || t.name || '.csv' || char(10) || 'SELECT '
    || (SELECT group_concat(CASE c.type WHEN 'BLOB' THEN 'substr(hex(' || c.name || '), 1, length(' || c.name || '))' ELSE c.name END)
        FROM pragma_table_info(t.name) c)
    || ' FROM ' || t.name || ' ORDER BY rowid;'
FROM sqlite_master t WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND t.name NOT LIKE 'goose_%' ORDER BY t.rowid;
