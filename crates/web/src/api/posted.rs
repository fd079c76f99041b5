//! The message that a client posts, and the application's rules for it.

use ddb_core::conversation::{Text, TextError};
use ddb_core::handle::Handle;
use ddb_core::key::ConversationId;
use serde_json::Value;

use super::Fault;

/// A posted message that follows the rules.
pub(super) struct Wanted {
    pub(super) text: Text,
    pub(super) to: To,
}

/// Where it goes.
pub(super) enum To {
    Conversation(ConversationId),
    Person(Handle),
}

/// Reads what was posted. A field that is not text counts as blank.
pub(super) fn wanted(body: &[u8]) -> Result<Wanted, Fault> {
    let posted: Value = serde_json::from_slice(body).map_err(|_| Fault::NoJson)?;
    let posted = posted.as_object().ok_or(Fault::NoJson)?;
    let field = |name: &str| {
        posted
            .get(name)
            .map(|value| value.as_str().unwrap_or_default().trim())
    };
    let text = posted
        .get("message")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let mut words = Vec::new();
    let text = text.parse::<Text>().map_err(|error| match error {
        TextError::Blank => words.push("message_blank"),
        TextError::TooLong(_) => words.push("message_exceed_max_chars"),
    });
    let to = match (field("message_group_uuid"), field("handle")) {
        (Some(""), None) | (None, None) | (Some(""), Some("")) => {
            words.push("message_group_uuid_blank");
            None
        }
        (None, Some(handle)) | (Some(""), Some(handle)) => match handle.parse() {
            Ok(handle) => Some(To::Person(handle)),
            Err(_) => {
                words.push("user_reciever_handle_blank");
                None
            }
        },
        (Some(id), _) => match id.parse() {
            Ok(id) => Some(To::Conversation(id)),
            Err(_) if words.is_empty() => return Err(Fault::NotFound),
            Err(_) => None,
        },
    };
    match (text, to) {
        (Ok(text), Some(to)) => Ok(Wanted { text, to }),
        _ => Err(Fault::Rules(words)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ID: &str = "5ae290ed-55d1-47a0-bc6d-fe2bc2700399";

    fn rules(body: &Value) -> Vec<&'static str> {
        match wanted(body.to_string().as_bytes()) {
            Err(Fault::Rules(words)) => words,
            Err(other) => panic!("{body}: {other:?}"),
            Ok(_) => panic!("{body}"),
        }
    }

    #[test]
    fn rules_are_said_in_the_words_of_the_application() {
        let long = "é".repeat(1025);
        for (body, words) in [
            (
                json!({}),
                &["message_blank", "message_group_uuid_blank"][..],
            ),
            (
                json!({"message": " ", "message_group_uuid": ID}),
                &["message_blank"],
            ),
            (
                json!({"message": 5, "message_group_uuid": ID}),
                &["message_blank"],
            ),
            (
                json!({"message": null, "handle": "bayko"}),
                &["message_blank"],
            ),
            (
                json!({"message": long, "handle": "bayko"}),
                &["message_exceed_max_chars"],
            ),
            (json!({"message": "a"}), &["message_group_uuid_blank"]),
            (
                json!({"message": "a", "message_group_uuid": ""}),
                &["message_group_uuid_blank"],
            ),
            (
                json!({"message": "a", "handle": " "}),
                &["user_reciever_handle_blank"],
            ),
            (
                json!({"message": "a", "handle": ["x"]}),
                &["user_reciever_handle_blank"],
            ),
        ] {
            assert_eq!(rules(&body), words, "{body}");
        }
        let whole = "é".repeat(1024);
        let sound = json!({"message": whole, "handle": "@Bayko"}).to_string();
        assert!(matches!(
            wanted(sound.as_bytes()),
            Ok(Wanted {
                to: To::Person(_),
                ..
            })
        ));
        let nowhere = json!({"message": "a", "message_group_uuid": "x"}).to_string();
        assert!(matches!(wanted(nowhere.as_bytes()), Err(Fault::NotFound)));
        for body in ["", "{", "[]", "5", "message=a"] {
            assert!(
                matches!(wanted(body.as_bytes()), Err(Fault::NoJson)),
                "{body}"
            );
        }
    }
}
