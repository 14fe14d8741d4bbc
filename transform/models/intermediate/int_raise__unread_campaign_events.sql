-- Entries of the delivery log about campaigns that may tell of a switch nobody knows: their payload was not read, or could
-- not be understood.
select
    organization,
    webhook_log_id,
    {{ integer_key('context_id') }} as campaign_id,
    attempted_at as logged_at
from {{ ref('int_raise__webhook_deliveries') }}
where
    payload_state != 'readable'
    and {{ is_about_campaign('event_type', 'observed_label') }}
    and {{ integer_key('context_id') }} is not null
