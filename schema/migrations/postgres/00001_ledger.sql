-- +goose Up
-- Instants are microseconds since 1970 UTC; amounts are minor units beside an ISO 4217 code; NULL means unknown.
--
-- Tables under "chained" are append-only. Each row names the commit that stored it and carries a hash of its columns; a
-- commit carries a digest over the hashes of its rows. closed_seq, where there is one, names the commit that replaced the
-- row and is part of that commit's digest: nothing else of a row ever changes.
--
-- The tables are those of SQLite, of the same number. Text is compared by bytes, as it is there: readers join sequences that
-- the database has put in order.

CREATE TABLE commits (
    seq    BIGINT PRIMARY KEY,
    run_id BIGINT NOT NULL,
    kind   TEXT COLLATE "C" NOT NULL,
    counts TEXT COLLATE "C" NOT NULL, -- rows stored by table
    digest BYTEA    NOT NULL,
    root   BYTEA    NOT NULL
);
CREATE INDEX commits_run ON commits (run_id);

-- chained

CREATE TABLE run_events (
    id          BIGINT PRIMARY KEY,
    commit_seq  BIGINT NOT NULL,
    hash        BYTEA    NOT NULL,
    run_id      BIGINT NOT NULL,
    kind        TEXT COLLATE "C" NOT NULL,
    status      TEXT COLLATE "C" NOT NULL,
    started_at  BIGINT NOT NULL,
    finished_at BIGINT,
    period_from BIGINT,
    period_to   BIGINT,
    whole       BIGINT NOT NULL, -- 1: of every configured source or over the default period, so that it can be a step of a night
    zone        TEXT COLLATE "C" NOT NULL,
    version     TEXT COLLATE "C" NOT NULL,
    parameters  TEXT COLLATE "C" NOT NULL,
    error       TEXT COLLATE "C" NOT NULL
);
CREATE INDEX run_events_run ON run_events (run_id, id);
CREATE INDEX run_events_started ON run_events (kind, started_at);

CREATE TABLE records (
    id          BIGINT PRIMARY KEY,
    commit_seq  BIGINT NOT NULL,
    hash        BYTEA    NOT NULL,
    source      TEXT COLLATE "C" NOT NULL,
    stream      TEXT COLLATE "C" NOT NULL,
    identity    TEXT COLLATE "C" NOT NULL, -- the provider's id, else a hash of the payload
    category    TEXT COLLATE "C" NOT NULL,
    received_at BIGINT NOT NULL,
    payload     TEXT COLLATE "C" NOT NULL, -- redacted
    sha         BYTEA    NOT NULL  -- of the payload
);

CREATE TABLE entries (
    id                BIGINT PRIMARY KEY,
    commit_seq        BIGINT NOT NULL,
    hash              BYTEA    NOT NULL,
    source            TEXT COLLATE "C" NOT NULL,
    provider          TEXT COLLATE "C" NOT NULL,
    external_id       TEXT COLLATE "C" NOT NULL,
    card_id           TEXT COLLATE "C" NOT NULL,
    card_last4        TEXT COLLATE "C" NOT NULL,
    kind              TEXT COLLATE "C" NOT NULL,
    status            TEXT COLLATE "C" NOT NULL,
    own_status        TEXT COLLATE "C" NOT NULL, -- what the row says by itself, before links
    occurred_at       BIGINT NOT NULL,
    posted_at         BIGINT,
    amount_minor      BIGINT NOT NULL,
    currency          TEXT COLLATE "C" NOT NULL,
    literal           TEXT COLLATE "C" NOT NULL,
    original_minor    BIGINT,
    original_iso      TEXT COLLATE "C" NOT NULL, -- the currency of original_minor; empty with NULL
    original_currency TEXT COLLATE "C" NOT NULL, -- the provider's word for it
    original_literal  TEXT COLLATE "C" NOT NULL,
    merchant          TEXT COLLATE "C" NOT NULL,
    merchant_category TEXT COLLATE "C" NOT NULL,
    reference         TEXT COLLATE "C" NOT NULL,
    description       TEXT COLLATE "C" NOT NULL,
    linked_id         TEXT COLLATE "C" NOT NULL,
    closed_seq        BIGINT
);
CREATE INDEX entries_pending ON entries (source, occurred_at) WHERE closed_seq IS NULL AND own_status = 'pending' AND status <> 'superseded';
CREATE INDEX entries_topup ON entries (source, card_id, occurred_at, external_id) WHERE kind = 'topup';
CREATE INDEX entries_open ON entries (source, card_id, occurred_at, external_id) WHERE status = 'pending';
CREATE INDEX entries_late ON entries (posted_at, occurred_at) WHERE posted_at > occurred_at + 604800000000; -- a week
CREATE INDEX entries_closed ON entries (closed_seq) WHERE closed_seq IS NOT NULL;
CREATE INDEX entries_replaced ON entries (source, external_id, closed_seq) WHERE closed_seq IS NOT NULL;

-- entries that the provider no longer lists; closed when they are read again
CREATE TABLE absences (
    id          BIGINT PRIMARY KEY,
    commit_seq  BIGINT NOT NULL,
    hash        BYTEA    NOT NULL,
    source      TEXT COLLATE "C" NOT NULL,
    external_id TEXT COLLATE "C" NOT NULL,
    last_read   BIGINT NOT NULL,
    noticed_at  BIGINT NOT NULL,
    window_from BIGINT NOT NULL, -- that was read to its end without the entry
    window_to   BIGINT NOT NULL,
    closed_seq  BIGINT
);
CREATE UNIQUE INDEX absences_current ON absences (source, external_id) WHERE closed_seq IS NULL;
CREATE INDEX absences_entry ON absences (source, external_id, commit_seq);

CREATE TABLE links (
    id         BIGINT PRIMARY KEY,
    commit_seq BIGINT NOT NULL,
    hash       BYTEA    NOT NULL,
    source     TEXT COLLATE "C" NOT NULL,
    from_id    TEXT COLLATE "C" NOT NULL,
    to_id      TEXT COLLATE "C" NOT NULL,
    basis      TEXT COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX links_from ON links (source, from_id, to_id, basis);
CREATE INDEX links_to ON links (source, to_id);

CREATE TABLE observations (
    id          BIGINT PRIMARY KEY,
    commit_seq  BIGINT NOT NULL,
    hash        BYTEA    NOT NULL,
    source      TEXT COLLATE "C" NOT NULL,
    provider    TEXT COLLATE "C" NOT NULL,
    card_id     TEXT COLLATE "C" NOT NULL,
    alt_id      TEXT COLLATE "C" NOT NULL,
    stream      TEXT COLLATE "C" NOT NULL,
    observed_at BIGINT NOT NULL,
    name        TEXT COLLATE "C" NOT NULL,
    last4       TEXT COLLATE "C" NOT NULL,
    type        TEXT COLLATE "C" NOT NULL,
    status      TEXT COLLATE "C" NOT NULL,
    currency    TEXT COLLATE "C" NOT NULL,
    budget_id   TEXT COLLATE "C" NOT NULL,
    created_at  BIGINT,
    closed_at   BIGINT,
    figures     TEXT COLLATE "C" NOT NULL -- JSON: limits, figures, next reset; amounts as minor units and currency
);
CREATE INDEX observations_card ON observations (source, card_id, observed_at, stream);

CREATE TABLE cards (
    id         BIGINT PRIMARY KEY,
    commit_seq BIGINT NOT NULL,
    hash       BYTEA    NOT NULL,
    source     TEXT COLLATE "C" NOT NULL,
    card_id    TEXT COLLATE "C" NOT NULL,
    provider   TEXT COLLATE "C" NOT NULL,
    alt_id     TEXT COLLATE "C" NOT NULL,
    name       TEXT COLLATE "C" NOT NULL,
    last4      TEXT COLLATE "C" NOT NULL,
    type       TEXT COLLATE "C" NOT NULL,
    status     TEXT COLLATE "C" NOT NULL,
    currency   TEXT COLLATE "C" NOT NULL,
    budget_id  TEXT COLLATE "C" NOT NULL,
    created_at BIGINT,
    closed_at  BIGINT,
    closed_seq BIGINT
);
CREATE UNIQUE INDEX cards_current ON cards (source, card_id) WHERE closed_seq IS NULL;
CREATE INDEX cards_alt ON cards (source, alt_id) WHERE closed_seq IS NULL AND alt_id <> '';

CREATE TABLE budgets (
    id          BIGINT PRIMARY KEY,
    commit_seq  BIGINT NOT NULL,
    hash        BYTEA    NOT NULL,
    source      TEXT COLLATE "C" NOT NULL,
    budget_id   TEXT COLLATE "C" NOT NULL,
    alt_id      TEXT COLLATE "C" NOT NULL,
    name        TEXT COLLATE "C" NOT NULL,
    zone        TEXT COLLATE "C" NOT NULL,
    start_date  TEXT COLLATE "C" NOT NULL,
    end_date    TEXT COLLATE "C" NOT NULL,
    recurs      TEXT COLLATE "C" NOT NULL,
    observed_at BIGINT NOT NULL
);
CREATE INDEX budgets_budget ON budgets (source, budget_id, observed_at);

CREATE TABLE rejects (
    id          BIGINT PRIMARY KEY,
    commit_seq  BIGINT NOT NULL,
    hash        BYTEA    NOT NULL,
    source      TEXT COLLATE "C" NOT NULL,
    provider    TEXT COLLATE "C" NOT NULL,
    stream      TEXT COLLATE "C" NOT NULL,
    identity    TEXT COLLATE "C" NOT NULL,
    external_id TEXT COLLATE "C" NOT NULL,
    field       TEXT COLLATE "C" NOT NULL,
    reason      TEXT COLLATE "C" NOT NULL,
    page        BIGINT NOT NULL, -- of the walk that read it; 0: read by id
    received_at BIGINT NOT NULL,
    payload     TEXT COLLATE "C" NOT NULL,
    closed_seq  BIGINT
);
CREATE INDEX rejects_identity ON rejects (source, stream, identity) WHERE closed_seq IS NULL;

CREATE TABLE notes (
    id          BIGINT PRIMARY KEY,
    commit_seq  BIGINT NOT NULL,
    hash        BYTEA    NOT NULL,
    source      TEXT COLLATE "C" NOT NULL,
    stream      TEXT COLLATE "C" NOT NULL,
    external_id TEXT COLLATE "C" NOT NULL,
    code        TEXT COLLATE "C" NOT NULL,
    field       TEXT COLLATE "C" NOT NULL,
    detail      TEXT COLLATE "C" NOT NULL,
    closed_seq  BIGINT
);
CREATE INDEX notes_identity ON notes (source, stream, external_id) WHERE closed_seq IS NULL;

CREATE TABLE completeness (
    id          BIGINT PRIMARY KEY,
    commit_seq  BIGINT NOT NULL,
    hash        BYTEA    NOT NULL,
    source      TEXT COLLATE "C" NOT NULL,
    stream      TEXT COLLATE "C" NOT NULL,
    scope       TEXT COLLATE "C" NOT NULL, -- which rows were asked for
    window_from BIGINT NOT NULL,
    window_to   BIGINT NOT NULL,
    verdict     TEXT COLLATE "C" NOT NULL,
    pages       BIGINT NOT NULL,
    requests    BIGINT NOT NULL, -- for those pages, without what was asked for once more
    records     BIGINT NOT NULL,
    total       BIGINT NOT NULL, -- -1: the provider gives none
    rejected    BIGINT NOT NULL,
    duplicates  BIGINT NOT NULL,
    retries     BIGINT NOT NULL,
    restarts    BIGINT NOT NULL, -- times that the walk began again
    first_id    TEXT COLLATE "C" NOT NULL,
    last_id     TEXT COLLATE "C" NOT NULL,
    sha256      TEXT COLLATE "C" NOT NULL,
    reason      TEXT COLLATE "C" NOT NULL,
    recorded_at BIGINT NOT NULL
);
CREATE INDEX completeness_window ON completeness (source, stream, window_from, window_to);

CREATE TABLE fundings (
    id           BIGINT PRIMARY KEY,
    commit_seq   BIGINT NOT NULL,
    hash         BYTEA    NOT NULL,
    funding_id   TEXT COLLATE "C" NOT NULL UNIQUE,
    reference    TEXT COLLATE "C" NOT NULL,
    amount_minor BIGINT NOT NULL,
    currency     TEXT COLLATE "C" NOT NULL,
    sent_at      BIGINT NOT NULL,
    date_only    BIGINT NOT NULL,
    sent_text    TEXT COLLATE "C" NOT NULL,
    card_id      TEXT COLLATE "C" NOT NULL,
    source       TEXT COLLATE "C" NOT NULL,
    note         TEXT COLLATE "C" NOT NULL,
    file         TEXT COLLATE "C" NOT NULL,
    line         BIGINT NOT NULL
);

CREATE TABLE funding_events (
    id         BIGINT PRIMARY KEY,
    commit_seq BIGINT NOT NULL,
    hash       BYTEA    NOT NULL,
    file       TEXT COLLATE "C" NOT NULL,
    funding_id TEXT COLLATE "C" NOT NULL,
    present    BIGINT NOT NULL -- 1: the file has it from here on; 0: it no longer has it
);
CREATE INDEX funding_events_file ON funding_events (file, funding_id, id);
CREATE INDEX funding_events_funding ON funding_events (funding_id);

CREATE TABLE findings (
    id                   BIGINT PRIMARY KEY,
    commit_seq           BIGINT NOT NULL,
    hash                 BYTEA    NOT NULL,
    finding_id           TEXT COLLATE "C" NOT NULL,
    code                 TEXT COLLATE "C" NOT NULL,
    reason               TEXT COLLATE "C" NOT NULL,
    severity             TEXT COLLATE "C" NOT NULL,
    source               TEXT COLLATE "C" NOT NULL,
    provider             TEXT COLLATE "C" NOT NULL,
    card_id              TEXT COLLATE "C" NOT NULL,
    card_name            TEXT COLLATE "C" NOT NULL,
    card_last4           TEXT COLLATE "C" NOT NULL,
    entry_id             TEXT COLLATE "C" NOT NULL,
    reference            TEXT COLLATE "C" NOT NULL,
    expected_minor       BIGINT,
    expected_currency    TEXT COLLATE "C" NOT NULL,
    actual_minor         BIGINT,
    actual_currency      TEXT COLLATE "C" NOT NULL,
    unexplained_minor    BIGINT,
    unexplained_currency TEXT COLLATE "C" NOT NULL,
    period_from          BIGINT,
    period_to            BIGINT,
    subject              TEXT COLLATE "C" NOT NULL,
    subject_at           BIGINT NOT NULL,
    subject_to           BIGINT,
    window_start         BIGINT,
    message              TEXT COLLATE "C" NOT NULL,
    basis                TEXT COLLATE "C" NOT NULL,
    explanation          TEXT COLLATE "C" NOT NULL,
    evidence             TEXT COLLATE "C" NOT NULL, -- JSON array of entry ids
    closed_seq           BIGINT
);
CREATE UNIQUE INDEX findings_current ON findings (finding_id) WHERE closed_seq IS NULL;
CREATE INDEX findings_id ON findings (finding_id, commit_seq);

CREATE TABLE sightings (
    id         BIGINT PRIMARY KEY,
    commit_seq BIGINT NOT NULL,
    hash       BYTEA    NOT NULL,
    finding_id TEXT COLLATE "C" NOT NULL
);
CREATE INDEX sightings_finding ON sightings (finding_id, commit_seq);

CREATE TABLE finding_events (
    id                   BIGINT PRIMARY KEY,
    commit_seq           BIGINT NOT NULL,
    hash                 BYTEA    NOT NULL,
    finding_id           TEXT COLLATE "C" NOT NULL,
    action               TEXT COLLATE "C" NOT NULL,
    status               TEXT COLLATE "C" NOT NULL, -- after it: the latest event says where a finding stands
    author               TEXT COLLATE "C" NOT NULL,
    happened_at          BIGINT NOT NULL,
    note                 TEXT COLLATE "C" NOT NULL,
    assignee             TEXT COLLATE "C" NOT NULL, -- after it
    severity             TEXT COLLATE "C" NOT NULL, -- this and the figures: as they were or, of an accepted finding, as accepted
    expected_minor       BIGINT,
    expected_currency    TEXT COLLATE "C" NOT NULL,
    actual_minor         BIGINT,
    actual_currency      TEXT COLLATE "C" NOT NULL,
    unexplained_minor    BIGINT,
    unexplained_currency TEXT COLLATE "C" NOT NULL,
    origin               TEXT COLLATE "C" NOT NULL, -- the workbook that it was read from
    digest               TEXT COLLATE "C" NOT NULL  -- of the disposition there
);
CREATE INDEX finding_events_finding ON finding_events (finding_id, id);
CREATE INDEX finding_events_digest ON finding_events (digest) WHERE digest <> '';

CREATE TABLE matches (
    id         BIGINT PRIMARY KEY,
    commit_seq BIGINT NOT NULL,
    hash       BYTEA    NOT NULL,
    finding_id TEXT COLLATE "C" NOT NULL, -- the proposal
    source     TEXT COLLATE "C" NOT NULL,
    reference  TEXT COLLATE "C" NOT NULL, -- of the funding
    entry_id   TEXT COLLATE "C" NOT NULL,
    confirmed  BIGINT NOT NULL, -- 1: the entry is what the funding means; 0: it is not
    author     TEXT COLLATE "C" NOT NULL,
    decided_at BIGINT NOT NULL,
    note       TEXT COLLATE "C" NOT NULL
);
CREATE INDEX matches_pair ON matches (source, reference, entry_id, id);

-- what is known of transactions, so that one which is read again need not be looked up
CREATE TABLE known (
    id            BIGINT PRIMARY KEY,
    commit_seq    BIGINT NOT NULL,
    hash          BYTEA    NOT NULL,
    source        TEXT COLLATE "C" NOT NULL,
    mapping       TEXT COLLATE "C" NOT NULL, -- what normalized the records
    occurred_from BIGINT NOT NULL, -- of their entries, now and before
    occurred_to   BIGINT NOT NULL,
    items         BYTEA    NOT NULL  -- of each: hash of its id, digest of its record, when its entry occurred
);
CREATE INDEX known_source ON known (source, occurred_to);

-- not chained: of no use once a walk has ended

CREATE TABLE checkpoints (
    source      TEXT COLLATE "C" NOT NULL,
    stream      TEXT COLLATE "C" NOT NULL,
    window_from BIGINT NOT NULL,
    window_to   BIGINT NOT NULL,
    scope       TEXT COLLATE "C" NOT NULL,
    cursor      TEXT COLLATE "C" NOT NULL,
    state       TEXT COLLATE "C" NOT NULL,
    run_id      BIGINT NOT NULL,
    PRIMARY KEY (source, stream, window_from, window_to)
);

CREATE TABLE checkpoint_ids (
    id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source      TEXT COLLATE "C" NOT NULL,
    stream      TEXT COLLATE "C" NOT NULL,
    window_from BIGINT NOT NULL,
    window_to   BIGINT NOT NULL,
    ids         BYTEA    NOT NULL, -- eight bytes an id, as many as one group had
    FOREIGN KEY (source, stream, window_from, window_to)
        REFERENCES checkpoints (source, stream, window_from, window_to) ON DELETE CASCADE
);
CREATE INDEX checkpoint_ids_walk ON checkpoint_ids (source, stream, window_from, window_to, id);

-- over all rows of records and entries

CREATE INDEX records_identity ON records (identity, source, stream, id, sha);
CREATE UNIQUE INDEX entries_current ON entries (external_id, source) WHERE closed_seq IS NULL;
CREATE INDEX entries_card ON entries (source, card_id, occurred_at, external_id, posted_at, kind, status, amount_minor, currency, merchant, reference, linked_id, closed_seq, commit_seq);
CREATE INDEX entries_time ON entries (occurred_at, source, posted_at);
CREATE INDEX entries_kin ON entries (source, card_id, currency, reference, occurred_at);

-- +goose Down
SELECT 1; -- a ledger is never taken back: restore a backup instead
