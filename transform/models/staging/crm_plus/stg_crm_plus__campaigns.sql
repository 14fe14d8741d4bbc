select
    organization,
    campaign_id,
    name as campaign_name,
    giving_goal,
    new_giver_goal,
    total_gift_goal,
    coalesce(is_archived, false) as is_archived,
    start_date_time_utc as starts_at,
    end_date_time_utc as ends_at,
    extra_fields,
    _extracted_at as extracted_at,
    _first_extracted_at as first_extracted_at,
    _deleted_at as deleted_at,
    _deleted_at is not null as is_deleted
from {{ source('raw_crm_plus', 'campaigns') }}
