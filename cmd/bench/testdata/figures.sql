SET threads = {threads};
-- limits: the spend of each card in each month
CREATE TEMP TABLE months AS
SELECT e.source, e.card_id, date_trunc('month', make_timestamp(e.occurred_at)) AS month, sum(e.spend) AS spent, any_value(f.limit_minor) AS most
FROM entries e JOIN figures f USING (source, card_id) GROUP BY 1, 2, 3;
-- the same in windows of thirty days that end with each entry
CREATE TEMP TABLE thirty_days AS
SELECT source, card_id, max(spent) AS most FROM (
    SELECT source, card_id, sum(spend) OVER (PARTITION BY source, card_id ORDER BY occurred_at RANGE BETWEEN 2592000000000 PRECEDING AND CURRENT ROW) AS spent
    FROM entries) GROUP BY 1, 2;
-- top-ups against the books
CREATE TEMP TABLE orphans AS
SELECT e.source, e.external_id, e.amount_minor FROM entries e LEFT JOIN fundings f ON f.reference = e.reference AND f.amount_minor = e.amount_minor
WHERE e.kind = 'topup' AND f.reference IS NULL;
-- balances after each entry, the least and the last of each card
CREATE TEMP TABLE running AS
SELECT source, card_id, min(balance) AS least, max_by(balance, (occurred_at, external_id)) AS last FROM (
    SELECT source, card_id, occurred_at, external_id,
        sum(CASE WHEN status = 'posted' THEN amount_minor ELSE 0 END) OVER (PARTITION BY source, card_id ORDER BY occurred_at, external_id) AS balance
    FROM entries) GROUP BY 1, 2;
-- sums by card, beside the figures that were observed
CREATE TEMP TABLE sums AS
SELECT f.source, f.card_id, f.figure_minor, sum(e.amount_minor) FILTER (e.status = 'posted') AS balance, sum(e.spend) AS spent, count(*) AS entries
FROM figures f JOIN entries e USING (source, card_id) GROUP BY 1, 2, 3;
-- purchases of one amount at one merchant within a minute, and counted entries that share their reference
CREATE TEMP TABLE alike AS
SELECT source, external_id FROM (
    SELECT source, external_id, occurred_at - lag(occurred_at) OVER (PARTITION BY source, card_id, merchant, amount_minor ORDER BY occurred_at) AS since
    FROM entries WHERE kind = 'purchase' AND status IN ('pending', 'posted') AND reference = '') WHERE since <= 60000000;
CREATE TEMP TABLE shared AS
SELECT source, card_id, reference, kind, amount_minor, count(*) AS times FROM entries
WHERE reference <> '' AND status IN ('pending', 'posted') AND kind <> 'topup' GROUP BY 1, 2, 3, 4, 5 HAVING count(*) > 1;
-- entries of cards that are not known, and what is pending for long
CREATE TEMP TABLE strangers AS SELECT source, external_id FROM entries e ANTI JOIN figures f USING (source, card_id);
CREATE TEMP TABLE stale AS SELECT source, external_id FROM entries WHERE status = 'pending' AND occurred_at < (SELECT max(occurred_at) FROM entries) - 864000000000;
