select
    organization,
    id as webhook_log_id,
    webhook_id,
    outcome,
    attempts,
    pay_load as payload,
    extra_fields,
    _extracted_at as extracted_at,
    _first_extracted_at as first_extracted_at,
    _dlt_load_id as load_id
from {{ source('raw_raise', 'webhook_log_payloads') }}
