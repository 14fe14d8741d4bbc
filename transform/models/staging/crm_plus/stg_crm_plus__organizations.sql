select
    organization,
    organization_user_id,
    organization_name,
    organization_time_zone,
    organization_culture,
    current_user_time_zone,
    is_administrator,
    is_enabled,
    extra_fields,
    _extracted_at as extracted_at,
    _first_extracted_at as first_extracted_at,
    _deleted_at as deleted_at,
    _deleted_at is not null as is_deleted
from {{ source('raw_crm_plus', 'organization') }}
