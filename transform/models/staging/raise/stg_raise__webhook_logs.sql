select
    organization,
    id as webhook_log_id,
    webhook_id,
    event_type,
    {{ clean_text('event_type_display') }} as observed_label,
    {{ fold_text('success') }} in ('true', '1', 'yes', 'success', 'succeeded') as is_delivered,
    try_cast({{ clean_text('http_status_code') }} as integer) as http_status_code,
    server_response,
    context_id,
    pay_load as payload,
    created_date as created_at,
    extra_fields,
    _extracted_at as extracted_at,
    _first_extracted_at as first_extracted_at,
    _dlt_load_id as load_id,
    _deleted_at as deleted_at,
    _deleted_at is not null as is_deleted
from {{ source('raw_raise', 'webhook_logs') }}
