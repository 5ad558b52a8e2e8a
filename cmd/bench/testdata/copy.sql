CREATE TABLE entries AS SELECT source, external_id, card_id, kind, status, occurred_at::BIGINT AS occurred_at,
    amount_minor::BIGINT AS amount_minor, merchant, reference,
    CASE WHEN status NOT IN ('pending', 'posted') THEN 0 WHEN kind = 'purchase' THEN -amount_minor::BIGINT
         WHEN kind = 'refund' AND status = 'posted' THEN -amount_minor::BIGINT ELSE 0 END AS spend
FROM read_csv('{dir}/entries.csv', header = true, all_varchar = true);
CREATE TABLE fundings AS SELECT reference, amount_minor::BIGINT AS amount_minor, card_id FROM read_csv('{dir}/fundings.csv', header = true, all_varchar = true);
CREATE TABLE figures AS SELECT source, card_id, limit_minor::BIGINT AS limit_minor, figure_minor::BIGINT AS figure_minor, figure
FROM read_csv('{dir}/figures.csv', header = true, all_varchar = true);
CHECKPOINT;
