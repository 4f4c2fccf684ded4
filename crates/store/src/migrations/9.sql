-- What an audit was asked for otherwise than its profile and the usual way say: the only controls, separated by commas (empty
-- for all of the profile), the days that a certificate must last if they are not the profile's, and whether Resource Graph
-- listed the servers. Of older audits nothing is known, and they count as whole.
ALTER TABLE audits ADD COLUMN controls TEXT NOT NULL DEFAULT '';
ALTER TABLE audits ADD COLUMN expiry_days INTEGER;
ALTER TABLE audits ADD COLUMN by_graph INTEGER NOT NULL DEFAULT 0;
