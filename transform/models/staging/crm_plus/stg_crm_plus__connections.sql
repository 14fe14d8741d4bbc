select
    organization,
    time_zone,
    is_connected,
    recorded_at
from {{ source('raw_crm_plus', 'connections') }}
