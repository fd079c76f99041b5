//! Conversations in the browser (`Pages`), and the application's own API (`Api`), on the loopback interface.
//!
//! Pages that were opened for reading have a store without the permission to write, so code that writes does not
//! compile on them. This compiles:
//!
//! ```no_run
//! # use ddb_core::{conversation::Text, key::ConversationId};
//! # use ddb_web::{Pages, Pen};
//! async fn write(pages: Pages<Pen>, conversation: ConversationId, text: Text) {
//!     let _ = pages.write(conversation, &text).await;
//! }
//! ```
//!
//! The same without a pen does not:
//!
//! ```compile_fail,E0599
//! # use ddb_core::{conversation::Text, key::ConversationId, store::Store};
//! # use ddb_web::Pages;
//! async fn p43_write(pages: Pages<Store>, conversation: ConversationId, text: Text) {
//!     let _ = pages.write(conversation, &text).await;
//! }
//! ```
//!
//! Nor can a pen be made from a store:
//!
//! ```compile_fail,E0308
//! # use ddb_core::{item::Person, store::Store};
//! # use ddb_web::Pen;
//! fn p43_pen(writer: Store, sender: Person) -> Pen {
//!     Pen { writer, sender }
//! }
//! ```

mod api;
mod asked;
mod assets;
mod front;
mod link;
mod live;
mod pages;
mod read;
mod server;
mod text;
mod tokens;
mod view;

pub use api::{Api, Asker};
pub use live::LiveSource;
pub use pages::{Pages, Pen, Readable};
pub use server::Server;
pub use tokens::Tokens;
pub use view::Setting;
