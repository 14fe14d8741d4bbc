select
    organization,
    time_zone,
    is_connected,
    foreign_organization,
    recorded_at
from {{ source('raw_crm_plus', 'connections') }}
