//! People: the database of users, and the user pool.

pub mod db_setup;
pub mod list_users;
mod matching;
pub mod update_cognito_user_ids;
