select
    organization,
    id as webhook_id,
    format,
    status,
    name as webhook_name,
    notification_url,
    created_date as created_at,
    modified_date as modified_at,
    event_types_list,
    extra_fields,
    _extracted_at as extracted_at,
    _first_extracted_at as first_extracted_at,
    _deleted_at as deleted_at,
    _deleted_at is not null as is_deleted
from {{ source('raw_raise', 'webhooks') }}
