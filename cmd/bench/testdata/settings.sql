-- of the ledger's own connection, but that a commit need not wait for the disk
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA cache_size = -131072;
PRAGMA temp_store = MEMORY;
PRAGMA wal_autocheckpoint = 8192;
