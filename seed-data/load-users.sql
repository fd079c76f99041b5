-- Loads the seed users into an empty table: the database of docker-compose.yml, on its first start.
COPY public.users (uuid, display_name, handle, email, cognito_user_id)
FROM '/seed-data/users.csv' WITH (FORMAT csv, HEADER true);
