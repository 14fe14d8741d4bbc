select
    organization,
    id as webhook_log_id,
    webhook_id,
    event_type,
    {{ clean_text('event_type_display') }} as observed_label,
    {{ delivery_succeeded('success') }} as is_delivered,
    {{ http_status_from_text('raw_logs.http_status_code') }} as http_status_code,
    case
        when {{ http_status_from_text('raw_logs.http_status_code') }} is null
            then {{ clean_text('raw_logs.http_status_code') }}
    end as http_status_text,
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
from {{ source('raw_raise', 'webhook_logs') }} as raw_logs
