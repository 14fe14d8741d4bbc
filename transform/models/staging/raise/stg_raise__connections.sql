select
    organization,
    time_zone,
    is_connected,
    stale_after_hours,
    recorded_at
from {{ source('raw_raise', 'connections') }}
