//! The requests that create and change the table.

use aws_sdk_dynamodb::operation::create_table::builders::CreateTableInputBuilder;
use aws_sdk_dynamodb::operation::update_table::builders::UpdateTableInputBuilder;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, CreateGlobalSecondaryIndexAction,
    DeleteGlobalSecondaryIndexAction, GlobalSecondaryIndex, GlobalSecondaryIndexUpdate,
    KeySchemaElement, KeyType, Projection, ProjectionType, ProvisionedThroughput,
    ScalarAttributeType, StreamSpecification, StreamViewType, UpdateGlobalSecondaryIndexAction,
};
use serde_json::{Value, json};

use super::{Billing, Capacity, Change, GROUP_INDEX, TableName, TableSpec, attribute};

/// The reason why building a request cannot fail: the SDK refuses it only if a required field is missing.
const COMPLETE: &str = "all required fields are set";

const TABLE_KEYS: [(&str, KeyType); 2] = [
    (attribute::PK, KeyType::Hash),
    (attribute::SK, KeyType::Range),
];
const INDEX_KEYS: [(&str, KeyType); 2] = [
    (attribute::MESSAGE_GROUP_UUID, KeyType::Hash),
    (attribute::SK, KeyType::Range),
];
const KEY_ATTRIBUTES: [&str; 3] = [attribute::MESSAGE_GROUP_UUID, attribute::PK, attribute::SK];

fn key_schema(keys: &[(&str, KeyType)]) -> Vec<KeySchemaElement> {
    keys.iter()
        .map(|(name, kind)| {
            KeySchemaElement::builder()
                .attribute_name(*name)
                .key_type(kind.clone())
                .build()
                .expect(COMPLETE)
        })
        .collect()
}

fn attribute_definitions() -> Vec<AttributeDefinition> {
    KEY_ATTRIBUTES
        .iter()
        .map(|name| {
            AttributeDefinition::builder()
                .attribute_name(*name)
                .attribute_type(ScalarAttributeType::S)
                .build()
                .expect(COMPLETE)
        })
        .collect()
}

fn throughput(capacity: Capacity) -> ProvisionedThroughput {
    ProvisionedThroughput::builder()
        .read_capacity_units(capacity.read.get().into())
        .write_capacity_units(capacity.write.get().into())
        .build()
        .expect(COMPLETE)
}

fn billing_mode(billing: Billing) -> BillingMode {
    match billing {
        Billing::Provisioned(_) => BillingMode::Provisioned,
        Billing::OnDemand => BillingMode::PayPerRequest,
    }
}

fn everything() -> Projection {
    Projection::builder()
        .projection_type(ProjectionType::All)
        .build()
}

fn stream(on: bool) -> StreamSpecification {
    StreamSpecification::builder()
        .stream_enabled(on)
        .set_stream_view_type(on.then_some(StreamViewType::NewImage))
        .build()
        .expect(COMPLETE)
}

impl TableSpec {
    /// Returns the CreateTable request.
    pub fn create(&self, table: &TableName) -> CreateTableInputBuilder {
        let capacity = self.billing.capacity().map(throughput);
        let index = GlobalSecondaryIndex::builder()
            .index_name(GROUP_INDEX)
            .set_key_schema(Some(key_schema(&INDEX_KEYS)))
            .projection(everything())
            .set_provisioned_throughput(capacity.clone())
            .build()
            .expect(COMPLETE);
        CreateTableInputBuilder::default()
            .table_name(table.as_str())
            .set_attribute_definitions(Some(attribute_definitions()))
            .set_key_schema(Some(key_schema(&TABLE_KEYS)))
            .global_secondary_indexes(index)
            .billing_mode(billing_mode(self.billing))
            .set_provisioned_throughput(capacity)
            .set_stream_specification(self.stream.then(|| stream(true)))
    }

    /// Returns the same request as the JSON that `aws dynamodb create-table --cli-input-json` takes.
    pub fn create_json(&self, table: &TableName) -> Value {
        let key_schema = |keys: &[(&str, KeyType)]| -> Value {
            keys.iter()
                .map(|(name, kind)| json!({"AttributeName": name, "KeyType": kind.as_str()}))
                .collect()
        };
        let definitions: Value = KEY_ATTRIBUTES
            .iter()
            .map(|name| json!({"AttributeName": name, "AttributeType": "S"}))
            .collect();
        let mut index = json!({
            "IndexName": GROUP_INDEX,
            "KeySchema": key_schema(&INDEX_KEYS),
            "Projection": {"ProjectionType": "ALL"},
        });
        let mut request = json!({
            "TableName": table.as_str(),
            "AttributeDefinitions": definitions,
            "KeySchema": key_schema(&TABLE_KEYS),
            "BillingMode": self.billing.as_str(),
        });
        if let Some(capacity) = self.billing.capacity() {
            let units = json!({
                "ReadCapacityUnits": capacity.read,
                "WriteCapacityUnits": capacity.write,
            });
            index["ProvisionedThroughput"] = units.clone();
            request["ProvisionedThroughput"] = units;
        }
        request["GlobalSecondaryIndexes"] = json!([index]);
        if self.stream {
            request["StreamSpecification"] =
                json!({"StreamEnabled": true, "StreamViewType": "NEW_IMAGE"});
        }
        request
    }
}

impl Change {
    /// Returns the UpdateTable request.
    pub fn request(&self, table: &TableName) -> UpdateTableInputBuilder {
        let update = UpdateTableInputBuilder::default().table_name(table.as_str());
        match self {
            Self::DeleteIndex(name) => {
                let delete = DeleteGlobalSecondaryIndexAction::builder()
                    .index_name(name)
                    .build()
                    .expect(COMPLETE);
                update.global_secondary_index_updates(
                    GlobalSecondaryIndexUpdate::builder().delete(delete).build(),
                )
            }
            Self::Billing { mode, table, index } => {
                let index = index.map(|capacity| {
                    let change = UpdateGlobalSecondaryIndexAction::builder()
                        .index_name(GROUP_INDEX)
                        .provisioned_throughput(throughput(capacity))
                        .build()
                        .expect(COMPLETE);
                    vec![GlobalSecondaryIndexUpdate::builder().update(change).build()]
                });
                update
                    .set_billing_mode(mode.map(billing_mode))
                    .set_provisioned_throughput(table.map(throughput))
                    .set_global_secondary_index_updates(index)
            }
            Self::CreateIndex(billing) => {
                let create = CreateGlobalSecondaryIndexAction::builder()
                    .index_name(GROUP_INDEX)
                    .set_key_schema(Some(key_schema(&INDEX_KEYS)))
                    .projection(everything())
                    .set_provisioned_throughput(billing.capacity().map(throughput))
                    .build()
                    .expect(COMPLETE);
                update
                    .set_attribute_definitions(Some(attribute_definitions()))
                    .global_secondary_index_updates(
                        GlobalSecondaryIndexUpdate::builder().create(create).build(),
                    )
            }
            Self::StreamOff { .. } => update.stream_specification(stream(false)),
            Self::StreamOn => update.stream_specification(stream(true)),
        }
    }
}
