-- The users table of the application. Handles are unique: a conversation is found by them.
CREATE TABLE IF NOT EXISTS public.users (
  uuid            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  display_name    text NOT NULL,
  handle          text NOT NULL UNIQUE,
  email           text NOT NULL,
  cognito_user_id text NOT NULL,
  created_at      timestamp DEFAULT current_timestamp NOT NULL
);
