select
    organization,
    time_zone,
    is_connected,
    stale_after_hours,
    foreign_organization,
    recorded_at
from {{ source('raw_raise', 'connections') }}
