-- Prints the script that stores all entries of another database once more, where their hash is not the one that is there. What an
-- entry is known by stands in the unique index of the table.
SELECT 'ATTACH ''{incoming}'' AS i;';
SELECT 'INSERT INTO main.entries (' || c.names || ') SELECT ' || c.names || ' FROM i.entries WHERE true'
    || ' ON CONFLICT ' || substr(x.sql, instr(x.sql, ' ON entries ') + 12)
    || ' DO UPDATE SET ' || c.sets || ' WHERE main.entries.hash <> excluded.hash;'
FROM (SELECT group_concat(name) AS names, group_concat(name || ' = excluded.' || name) AS sets
      FROM pragma_table_info('entries') WHERE name <> 'id') c,
     (SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'entries' AND sql LIKE 'CREATE UNIQUE%' LIMIT 1) x;
