-- +goose Up
-- Instants are microseconds since 1970 UTC; amounts are minor units beside an ISO 4217 code; NULL means unknown.
--
-- Tables under "chained" are append-only. Each row names the commit that stored it and carries a hash of its columns; a
-- commit carries a digest over the hashes of its rows. closed_seq, where there is one, names the commit that replaced the
-- row and is part of that commit's digest: nothing else of a row ever changes.
--
-- The indexes over all rows of records and entries are in ../indexes.

PRAGMA application_id = 1953064303; -- "tieo": whose database this is

CREATE TABLE commits (
    seq    INTEGER PRIMARY KEY,
    run_id INTEGER NOT NULL,
    kind   TEXT    NOT NULL,
    counts TEXT    NOT NULL, -- rows stored by table
    digest BLOB    NOT NULL,
    root   BLOB    NOT NULL
) STRICT;
CREATE INDEX commits_run ON commits (run_id);

-- chained

CREATE TABLE run_events (
    id          INTEGER PRIMARY KEY,
    commit_seq  INTEGER NOT NULL,
    hash        BLOB    NOT NULL,
    run_id      INTEGER NOT NULL,
    kind        TEXT    NOT NULL,
    status      TEXT    NOT NULL,
    started_at  INTEGER NOT NULL,
    finished_at INTEGER,
    period_from INTEGER,
    period_to   INTEGER,
    whole       INTEGER NOT NULL, -- 1: of every configured source or over the default period, so that it can be a step of a night
    zone        TEXT    NOT NULL,
    version     TEXT    NOT NULL,
    parameters  TEXT    NOT NULL,
    error       TEXT    NOT NULL
) STRICT;
CREATE INDEX run_events_run ON run_events (run_id, id);
CREATE INDEX run_events_started ON run_events (kind, started_at);

CREATE TABLE records (
    id          INTEGER PRIMARY KEY,
    commit_seq  INTEGER NOT NULL,
    hash        BLOB    NOT NULL,
    source      TEXT    NOT NULL,
    stream      TEXT    NOT NULL,
    identity    TEXT    NOT NULL, -- the provider's id, else a hash of the payload
    category    TEXT    NOT NULL,
    received_at INTEGER NOT NULL,
    payload     TEXT    NOT NULL, -- redacted
    sha         BLOB    NOT NULL  -- of the payload
) STRICT;

CREATE TABLE entries (
    id                INTEGER PRIMARY KEY,
    commit_seq        INTEGER NOT NULL,
    hash              BLOB    NOT NULL,
    source            TEXT    NOT NULL,
    provider          TEXT    NOT NULL,
    external_id       TEXT    NOT NULL,
    card_id           TEXT    NOT NULL,
    card_last4        TEXT    NOT NULL,
    kind              TEXT    NOT NULL,
    status            TEXT    NOT NULL,
    own_status        TEXT    NOT NULL, -- what the row says by itself, before links
    occurred_at       INTEGER NOT NULL,
    posted_at         INTEGER,
    amount_minor      INTEGER NOT NULL,
    currency          TEXT    NOT NULL,
    literal           TEXT    NOT NULL,
    original_minor    INTEGER,
    original_iso      TEXT    NOT NULL, -- the currency of original_minor; empty with NULL
    original_currency TEXT    NOT NULL, -- the provider's word for it
    original_literal  TEXT    NOT NULL,
    merchant          TEXT    NOT NULL,
    merchant_category TEXT    NOT NULL,
    reference         TEXT    NOT NULL,
    description       TEXT    NOT NULL,
    linked_id         TEXT    NOT NULL,
    closed_seq        INTEGER
) STRICT;
CREATE INDEX entries_pending ON entries (source, occurred_at) WHERE closed_seq IS NULL AND own_status = 'pending' AND status <> 'superseded';
CREATE INDEX entries_topup ON entries (source, card_id, occurred_at, external_id) WHERE kind = 'topup';
CREATE INDEX entries_open ON entries (source, card_id, occurred_at, external_id) WHERE status = 'pending';
CREATE INDEX entries_late ON entries (posted_at, occurred_at) WHERE posted_at > occurred_at + 604800000000; -- a week
CREATE INDEX entries_closed ON entries (closed_seq) WHERE closed_seq IS NOT NULL;
CREATE INDEX entries_replaced ON entries (source, external_id, closed_seq) WHERE closed_seq IS NOT NULL;

-- entries that the provider no longer lists; closed when they are read again
CREATE TABLE absences (
    id          INTEGER PRIMARY KEY,
    commit_seq  INTEGER NOT NULL,
    hash        BLOB    NOT NULL,
    source      TEXT    NOT NULL,
    external_id TEXT    NOT NULL,
    last_read   INTEGER NOT NULL,
    noticed_at  INTEGER NOT NULL,
    window_from INTEGER NOT NULL, -- that was read to its end without the entry
    window_to   INTEGER NOT NULL,
    closed_seq  INTEGER
) STRICT;
CREATE UNIQUE INDEX absences_current ON absences (source, external_id) WHERE closed_seq IS NULL;
CREATE INDEX absences_entry ON absences (source, external_id, commit_seq);

CREATE TABLE links (
    id         INTEGER PRIMARY KEY,
    commit_seq INTEGER NOT NULL,
    hash       BLOB    NOT NULL,
    source     TEXT    NOT NULL,
    from_id    TEXT    NOT NULL,
    to_id      TEXT    NOT NULL,
    basis      TEXT    NOT NULL
) STRICT;
CREATE UNIQUE INDEX links_from ON links (source, from_id, to_id, basis);
CREATE INDEX links_to ON links (source, to_id);

CREATE TABLE observations (
    id          INTEGER PRIMARY KEY,
    commit_seq  INTEGER NOT NULL,
    hash        BLOB    NOT NULL,
    source      TEXT    NOT NULL,
    provider    TEXT    NOT NULL,
    card_id     TEXT    NOT NULL,
    alt_id      TEXT    NOT NULL,
    stream      TEXT    NOT NULL,
    observed_at INTEGER NOT NULL,
    name        TEXT    NOT NULL,
    last4       TEXT    NOT NULL,
    type        TEXT    NOT NULL,
    status      TEXT    NOT NULL,
    currency    TEXT    NOT NULL,
    budget_id   TEXT    NOT NULL,
    created_at  INTEGER,
    closed_at   INTEGER,
    figures     TEXT    NOT NULL -- JSON: limits, figures, next reset; amounts as minor units and currency
) STRICT;
CREATE INDEX observations_card ON observations (source, card_id, observed_at, stream);

CREATE TABLE cards (
    id         INTEGER PRIMARY KEY,
    commit_seq INTEGER NOT NULL,
    hash       BLOB    NOT NULL,
    source     TEXT    NOT NULL,
    card_id    TEXT    NOT NULL,
    provider   TEXT    NOT NULL,
    alt_id     TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    last4      TEXT    NOT NULL,
    type       TEXT    NOT NULL,
    status     TEXT    NOT NULL,
    currency   TEXT    NOT NULL,
    budget_id  TEXT    NOT NULL,
    created_at INTEGER,
    closed_at  INTEGER,
    closed_seq INTEGER
) STRICT;
CREATE UNIQUE INDEX cards_current ON cards (source, card_id) WHERE closed_seq IS NULL;
CREATE INDEX cards_alt ON cards (source, alt_id) WHERE closed_seq IS NULL AND alt_id <> '';

CREATE TABLE budgets (
    id          INTEGER PRIMARY KEY,
    commit_seq  INTEGER NOT NULL,
    hash        BLOB    NOT NULL,
    source      TEXT    NOT NULL,
    budget_id   TEXT    NOT NULL,
    alt_id      TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    zone        TEXT    NOT NULL,
    start_date  TEXT    NOT NULL,
    end_date    TEXT    NOT NULL,
    recurs      TEXT    NOT NULL,
    observed_at INTEGER NOT NULL
) STRICT;
CREATE INDEX budgets_budget ON budgets (source, budget_id, observed_at);

CREATE TABLE rejects (
    id          INTEGER PRIMARY KEY,
    commit_seq  INTEGER NOT NULL,
    hash        BLOB    NOT NULL,
    source      TEXT    NOT NULL,
    provider    TEXT    NOT NULL,
    stream      TEXT    NOT NULL,
    identity    TEXT    NOT NULL,
    external_id TEXT    NOT NULL,
    field       TEXT    NOT NULL,
    reason      TEXT    NOT NULL,
    page        INTEGER NOT NULL, -- of the walk that read it; 0: read by id
    received_at INTEGER NOT NULL,
    payload     TEXT    NOT NULL,
    closed_seq  INTEGER
) STRICT;
CREATE INDEX rejects_identity ON rejects (source, stream, identity) WHERE closed_seq IS NULL;

CREATE TABLE notes (
    id          INTEGER PRIMARY KEY,
    commit_seq  INTEGER NOT NULL,
    hash        BLOB    NOT NULL,
    source      TEXT    NOT NULL,
    stream      TEXT    NOT NULL,
    external_id TEXT    NOT NULL,
    code        TEXT    NOT NULL,
    field       TEXT    NOT NULL,
    detail      TEXT    NOT NULL,
    closed_seq  INTEGER
) STRICT;
CREATE INDEX notes_identity ON notes (source, stream, external_id) WHERE closed_seq IS NULL;

CREATE TABLE completeness (
    id          INTEGER PRIMARY KEY,
    commit_seq  INTEGER NOT NULL,
    hash        BLOB    NOT NULL,
    source      TEXT    NOT NULL,
    stream      TEXT    NOT NULL,
    scope       TEXT    NOT NULL, -- which rows were asked for
    window_from INTEGER NOT NULL,
    window_to   INTEGER NOT NULL,
    verdict     TEXT    NOT NULL,
    pages       INTEGER NOT NULL,
    requests    INTEGER NOT NULL, -- for those pages, without what was asked for once more
    records     INTEGER NOT NULL,
    total       INTEGER NOT NULL, -- -1: the provider gives none
    rejected    INTEGER NOT NULL,
    duplicates  INTEGER NOT NULL,
    retries     INTEGER NOT NULL,
    restarts    INTEGER NOT NULL, -- times that the walk began again
    first_id    TEXT    NOT NULL,
    last_id     TEXT    NOT NULL,
    sha256      TEXT    NOT NULL,
    reason      TEXT    NOT NULL,
    recorded_at INTEGER NOT NULL
) STRICT;
CREATE INDEX completeness_window ON completeness (source, stream, window_from, window_to);

CREATE TABLE fundings (
    id           INTEGER PRIMARY KEY,
    commit_seq   INTEGER NOT NULL,
    hash         BLOB    NOT NULL,
    funding_id   TEXT    NOT NULL UNIQUE,
    reference    TEXT    NOT NULL,
    amount_minor INTEGER NOT NULL,
    currency     TEXT    NOT NULL,
    sent_at      INTEGER NOT NULL,
    date_only    INTEGER NOT NULL,
    sent_text    TEXT    NOT NULL,
    card_id      TEXT    NOT NULL,
    source       TEXT    NOT NULL,
    note         TEXT    NOT NULL,
    file         TEXT    NOT NULL,
    line         INTEGER NOT NULL
) STRICT;

CREATE TABLE funding_events (
    id         INTEGER PRIMARY KEY,
    commit_seq INTEGER NOT NULL,
    hash       BLOB    NOT NULL,
    file       TEXT    NOT NULL,
    funding_id TEXT    NOT NULL,
    present    INTEGER NOT NULL -- 1: the file has it from here on; 0: it no longer has it
) STRICT;
CREATE INDEX funding_events_file ON funding_events (file, funding_id, id);
CREATE INDEX funding_events_funding ON funding_events (funding_id);

CREATE TABLE findings (
    id                   INTEGER PRIMARY KEY,
    commit_seq           INTEGER NOT NULL,
    hash                 BLOB    NOT NULL,
    finding_id           TEXT    NOT NULL,
    code                 TEXT    NOT NULL,
    reason               TEXT    NOT NULL,
    severity             TEXT    NOT NULL,
    source               TEXT    NOT NULL,
    provider             TEXT    NOT NULL,
    card_id              TEXT    NOT NULL,
    card_name            TEXT    NOT NULL,
    card_last4           TEXT    NOT NULL,
    entry_id             TEXT    NOT NULL,
    reference            TEXT    NOT NULL,
    expected_minor       INTEGER,
    expected_currency    TEXT    NOT NULL,
    actual_minor         INTEGER,
    actual_currency      TEXT    NOT NULL,
    unexplained_minor    INTEGER,
    unexplained_currency TEXT    NOT NULL,
    period_from          INTEGER,
    period_to            INTEGER,
    subject              TEXT    NOT NULL,
    subject_at           INTEGER NOT NULL,
    subject_to           INTEGER,
    window_start         INTEGER,
    message              TEXT    NOT NULL,
    basis                TEXT    NOT NULL,
    explanation          TEXT    NOT NULL,
    evidence             TEXT    NOT NULL, -- JSON array of entry ids
    closed_seq           INTEGER
) STRICT;
CREATE UNIQUE INDEX findings_current ON findings (finding_id) WHERE closed_seq IS NULL;
CREATE INDEX findings_id ON findings (finding_id, commit_seq);

CREATE TABLE sightings (
    id         INTEGER PRIMARY KEY,
    commit_seq INTEGER NOT NULL,
    hash       BLOB    NOT NULL,
    finding_id TEXT    NOT NULL
) STRICT;
CREATE INDEX sightings_finding ON sightings (finding_id, commit_seq);

CREATE TABLE finding_events (
    id                   INTEGER PRIMARY KEY,
    commit_seq           INTEGER NOT NULL,
    hash                 BLOB    NOT NULL,
    finding_id           TEXT    NOT NULL,
    action               TEXT    NOT NULL,
    status               TEXT    NOT NULL, -- after it: the latest event says where a finding stands
    author               TEXT    NOT NULL,
    happened_at          INTEGER NOT NULL,
    note                 TEXT    NOT NULL,
    assignee             TEXT    NOT NULL, -- after it
    severity             TEXT    NOT NULL, -- this and the figures: as they were or, of an accepted finding, as accepted
    expected_minor       INTEGER,
    expected_currency    TEXT    NOT NULL,
    actual_minor         INTEGER,
    actual_currency      TEXT    NOT NULL,
    unexplained_minor    INTEGER,
    unexplained_currency TEXT    NOT NULL,
    origin               TEXT    NOT NULL, -- the workbook that it was read from
    digest               TEXT    NOT NULL  -- of the disposition there
) STRICT;
CREATE INDEX finding_events_finding ON finding_events (finding_id, id);
CREATE INDEX finding_events_digest ON finding_events (digest) WHERE digest <> '';

CREATE TABLE matches (
    id         INTEGER PRIMARY KEY,
    commit_seq INTEGER NOT NULL,
    hash       BLOB    NOT NULL,
    finding_id TEXT    NOT NULL, -- the proposal
    source     TEXT    NOT NULL,
    reference  TEXT    NOT NULL, -- of the funding
    entry_id   TEXT    NOT NULL,
    confirmed  INTEGER NOT NULL, -- 1: the entry is what the funding means; 0: it is not
    author     TEXT    NOT NULL,
    decided_at INTEGER NOT NULL,
    note       TEXT    NOT NULL
) STRICT;
CREATE INDEX matches_pair ON matches (source, reference, entry_id, id);

-- what is known of transactions, so that one which is read again need not be looked up
CREATE TABLE known (
    id            INTEGER PRIMARY KEY,
    commit_seq    INTEGER NOT NULL,
    hash          BLOB    NOT NULL,
    source        TEXT    NOT NULL,
    mapping       TEXT    NOT NULL, -- what normalized the records
    occurred_from INTEGER NOT NULL, -- of their entries, now and before
    occurred_to   INTEGER NOT NULL,
    items         BLOB    NOT NULL  -- of each: hash of its id, digest of its record, when its entry occurred
) STRICT;
CREATE INDEX known_source ON known (source, occurred_to);

-- not chained: of no use once a walk has ended

CREATE TABLE checkpoints (
    source      TEXT    NOT NULL,
    stream      TEXT    NOT NULL,
    window_from INTEGER NOT NULL,
    window_to   INTEGER NOT NULL,
    scope       TEXT    NOT NULL,
    cursor      TEXT    NOT NULL,
    state       TEXT    NOT NULL,
    run_id      INTEGER NOT NULL,
    PRIMARY KEY (source, stream, window_from, window_to)
) STRICT;

CREATE TABLE checkpoint_ids (
    id          INTEGER PRIMARY KEY,
    source      TEXT    NOT NULL,
    stream      TEXT    NOT NULL,
    window_from INTEGER NOT NULL,
    window_to   INTEGER NOT NULL,
    ids         BLOB    NOT NULL, -- eight bytes an id, as many as one group had
    FOREIGN KEY (source, stream, window_from, window_to)
        REFERENCES checkpoints (source, stream, window_from, window_to) ON DELETE CASCADE
) STRICT;
CREATE INDEX checkpoint_ids_walk ON checkpoint_ids (source, stream, window_from, window_to, id);

-- +goose Down
SELECT 1; -- a ledger is never taken back: restore a backup instead
