SET threads = {threads};
SELECT 1;
